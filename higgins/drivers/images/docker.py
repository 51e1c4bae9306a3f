"""The images that a Docker Engine keeps, and fetches from registries."""

import re
from typing import Self

import aiodocker
import msgspec

from higgins import errors
from higgins.drivers import documents
from higgins.drivers.engine import Engine, disk_full, lines
from higgins.drivers.reference import DEFAULT_REGISTRY, Reference


class DockerImages:
    """Finds images on a Docker Engine, and has it fetch them. Needs no engine to be constructed."""

    def __init__(self, *, url: str = "unix:///var/run/docker.sock") -> None:
        self._engine = Engine(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.close()

    async def resolve(self, reference: str) -> str | None:
        return await self._find(Reference.parse(reference))

    async def fetch(self, reference: str) -> str:
        wanted = Reference.parse(reference)
        try:
            await self._pull(wanted)
        except aiodocker.DockerError as error:
            raise await self._sorted(error.message, reference, wanted) from error
        digest = await self._find(wanted)
        if digest is None:
            raise errors.Unavailable(f"Docker fetched image {reference}, and somebody removed it at once.")
        return digest

    async def _find(self, wanted: Reference) -> str | None:
        try:
            # Never the reference as it was written: the engine would also take it for the beginning of an image's id.
            return (await self._engine.read(f"images/{wanted}/json", documents.Image)).id
        except aiodocker.DockerError as error:
            if error.status == 404:
                return None
            raise await self._engine.explain(error, f"look for image {wanted}") from error

    async def _pull(self, wanted: Reference) -> None:
        """Raises DockerError for a refusal, also for one that comes at the end of a long success."""
        async with self._engine.stream(
            "POST", "images/create", {"fromImage": wanted.name, "tag": wanted.version}
        ) as response:
            async for line in lines(response):
                if complaint := msgspec.json.decode(line, type=documents.Progress).error:
                    raise aiodocker.DockerError(500, complaint)

    async def _sorted(self, text: str, reference: str, wanted: Reference) -> errors.Failure:
        registry = wanted.registry or DEFAULT_REGISTRY
        text = " ".join(text.split())
        if disk_full(text):
            return errors.Unavailable(
                f"Image {reference} could not be fetched: {_lower(await self._engine.disk())} is full. Free some space there."
            )
        if _TOO_MANY.search(text):
            return errors.Unavailable(
                f"Image {reference} could not be fetched: registry {registry} allows no more for now.", retry_after=60
            )
        if _NOT_FOR_US.search(text):
            return errors.NotFound(
                f"Image {reference} could not be found for this host's processor: registry {registry} has it only for others.",
                code="image-not-found",
            )
        if _NONE_SUCH.search(text):
            return errors.NotFound(
                f"Image {reference} could not be found in registry {registry}, or it is private. Check its name and its tag.",
                code="image-not-found",
            )
        return errors.Unavailable(
            f"Image {reference} could not be fetched, since registry {registry} does not serve it now: {text}"
        )


_TOO_MANY = re.compile(r"toomanyrequests|too many requests|rate limit", re.IGNORECASE)
_NOT_FOR_US = re.compile(r"no matching manifest|does not match the specified platform", re.IGNORECASE)
_NONE_SUCH = re.compile(
    r"manifest unknown|manifest for \S+ not found|name unknown|name invalid|not found: does not exist|repository .*not found"
    r"|pull access denied|requested access to the resource is denied|unauthorized|no basic auth credentials|insufficient_scope",
    re.IGNORECASE,
)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
