"""Files in and out of containers on a Docker Engine.

The engine packs and unpacks in the root of the container, as the container sees it: no path, link or device leads out of it.
"""

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from types import TracebackType

import aiodocker
import aiohttp
from msgspec import Struct, field, json

from higgins import errors
from higgins.drivers.engine import Engine, Parameters, disk_full
from higgins.drivers.runtimes.docker import terms
from higgins.drivers.runtimes.docker.terms import name
from higgins.drivers.tar import Scrutiny
from higgins.model.ids import ContainerId
from higgins.model.live import PathStat

_STAT = "X-Docker-Container-Path-Stat"
_INVALID = re.compile(
    r"not a directory|invalid argument|file name too long|too many levels of symbolic links|cannot be empty|error processing tar file"
    r"|cannot overwrite directory",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(r"invalid (entry name|hardlink|symlink)|escapes from parent|is outside of", re.IGNORECASE)
"""How engines refuse what would lead out of the directory, each release in words of its own."""
_PREAMBLE = re.compile(r"^error processing tar file\([^)]*\): ", re.IGNORECASE)
_READ_ONLY = re.compile(r"read-only|read only", re.IGNORECASE)
_ROOT = re.compile(r"/\S*/(merged|rootfs|diff)(?=[/:\s])")
"""Where a container's root lies on its host, which is nobody's business."""


class DockerArchives:
    """Moves archives, at most of `limit` bytes each."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit

    @asynccontextmanager
    async def get_archive(
        self, container_id: ContainerId, path: str
    ) -> AsyncIterator[tuple[PathStat, AsyncIterator[bytes]]]:
        """As `Archives` promises."""
        with closing(await self._get(container_id, path)) as response:
            stat = json.decode(base64.b64decode(response.headers[_STAT]), type=_Stat)
            found = PathStat(
                name=stat.name, size=stat.size, mode=stat.mode, mtime=stat.mtime, link_target=stat.link_target
            )
            yield found, self._pieces(response)

    async def put_archive(self, container_id: ContainerId, path: str, pieces: AsyncIterator[bytes]) -> None:
        """As `Archives` promises."""
        # An engine that is sent what it does not want breaks off the connection, and its reason is lost. So it is asked before.
        with closing(await self._get(container_id, path and f"{path}/.")):
            pass
        given = _Given(pieces, Scrutiny(self._limit))
        # What a directory is stays one: an archive cannot put a file or a link in its place.
        parameters: Parameters = {"path": path, "noOverwriteDirNonDir": True}
        try:
            address = f"containers/{name(container_id)}/archive"
            response = await self._engine.ask(
                "PUT", address, parameters, body=given.checked(), headers={"Content-Type": "application/x-tar"}
            )
        except (aiodocker.DockerError, errors.Unavailable) as error:
            if given.failure is not None:
                raise given.failure from error
            if not isinstance(error, aiodocker.DockerError):
                raise
            if error.status == 404 and not terms.no_container(error):
                # The directory was there just now. Newer engines say the same of what a hard link in the archive is to.
                raise errors.Invalid(
                    f"Files cannot be moved at {path}: it, or what a hard link in the archive is to, is not there."
                ) from error
            raise await self._sorted(error, path) from error
        response.close()

    async def _get(self, container_id: ContainerId, path: str) -> aiohttp.ClientResponse:
        if not path:
            raise errors.Invalid("A path in the container is needed.")
        if "\0" in path:
            raise errors.Invalid("A path has no null bytes.")
        try:
            return await self._engine.ask("GET", f"containers/{name(container_id)}/archive", {"path": path})
        except aiodocker.DockerError as error:
            raise await self._sorted(error, path.removesuffix("/.")) from error

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        given = 0
        async with self._engine.reachable():
            async for piece in response.content.iter_any():
                given += len(piece)
                if given > self._limit:
                    raise errors.Invalid(
                        f"The archive has more than {self._limit} bytes, which is the most here. Ask for parts."
                    )
                yield piece

    async def _sorted(self, error: aiodocker.DockerError, path: str) -> errors.Failure:
        text = _ROOT.sub("", " ".join(error.message.split()))
        if terms.no_container(error):
            return errors.Conflict("Files cannot be moved: the container is gone from Docker.")
        if error.status == 404:
            return errors.NotFound(f"There is nothing at {path} in the container.")
        if _READ_ONLY.search(text):
            return errors.Conflict(f"Nothing can be written at {path}: it is read-only.")
        said = _PREAMBLE.sub("", text)
        if _OUTSIDE.search(text):
            return errors.Invalid(f"Files cannot be moved at {path}: {said} (nothing may lead outside of it)")
        if _INVALID.search(text) and not disk_full(text):
            return errors.Invalid(f"Files cannot be moved at {path}: {said}")
        return await terms.sorted_by_remedy(self._engine, aiodocker.DockerError(error.status, text), "move the files")


class _Stat(Struct, frozen=True):
    name: str = ""
    size: int = 0
    mode: int = 0
    mtime: str = ""
    link_target: str = field(name="linkTarget", default="")


class _Given:
    """What a caller gives. What it fails with outlives the HTTP client, which tells only that its body failed."""

    def __init__(self, pieces: AsyncIterator[bytes], scrutiny: Scrutiny) -> None:
        self.failure: BaseException | None = None
        self._pieces = pieces
        self._scrutiny = scrutiny

    async def checked(self) -> AsyncIterator[bytes]:
        with self:
            async for piece in self._pieces:
                self._scrutiny.feed(piece)
                yield piece
            self._scrutiny.end()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(failure, GeneratorExit):
            self.failure = failure
