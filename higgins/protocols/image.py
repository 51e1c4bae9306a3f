"""What Higgins asks of a host's store of images."""

from collections.abc import Callable, Sequence
from typing import Protocol

from higgins.model.capsule import Progress
from higgins.model.live import Hit, ImageFacts
from higgins.model.registry import Login

Tell = Callable[[Progress], None]
"""Told of every change, more often than anybody can read."""


class ImageSource(Protocol):
    """Finds images, fetches them to the host and removes them.

    References are as users write them: `[registry/]name[:tag][@digest]`; one that says no registry means the one that the runtime asks by itself.
    """

    async def resolve(self, reference: str) -> ImageFacts | None:
        """The image on this host, None if it is not here. Raises Invalid for a malformed reference."""
        ...

    async def fetch(self, reference: str, login: Login | None = None, tell: Tell | None = None) -> ImageFacts:
        """Fetch it from its registry, with the credentials of `login` if its domain is the image's. Cancelling stops the fetching.

        Raises NotFound (code `image-not-found`) if the registry has none such or hides it, Unavailable if the registry or the disk fails.
        """
        ...

    async def remove(self, reference: str) -> bool:
        """Take this name away, and with the last one the image. Whether it is still here, by another name. Succeeds if there is none.

        Raises Conflict while a container, anybody's, was made by a name that would go, or is made of an image that would.
        """
        ...

    async def search(self, term: str, login: Login | None = None, *, exact: bool = False) -> Sequence[Hit]:
        """What the registry has whose name contains `term`, or is `term`. Raises Unavailable if the registry does not answer."""
        ...

    async def fill(self) -> float:
        """How full the disk is that images are kept on, from 0 to 1. Raises Unavailable where nobody can tell."""
        ...
