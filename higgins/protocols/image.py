"""What Higgins asks of a host's store of images."""

from typing import Protocol


class ImageSource(Protocol):
    """Finds images, and fetches them to the host.

    References are as users write them: `[registry/]name[:tag][@digest]`.
    """

    async def resolve(self, reference: str) -> str | None:
        """The digest of the image on this host, None if it is not here. Raises Invalid for a malformed reference."""
        ...

    async def fetch(self, reference: str) -> str:
        """Fetch it from its registry and return the digest.

        Raises NotFound (code `image-not-found`) if the registry has none such or hides it, Unavailable if the registry or the disk fails.
        """
        ...
