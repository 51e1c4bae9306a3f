"""The connection to a Docker Engine, which the drivers that speak to one share.

It negotiates the version of the API, recovers when the engine comes back, and says why there is no connection and what to do about it.
What the engine itself refuses stays an `aiodocker.DockerError`: a driver knows what a refusal means there, and `explain` sorts the rest.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Self, TypeVar

import aiodocker
import aiohttp
import msgspec

from higgins import errors
from higgins.drivers.streams import Frames, RawConnection

OLDEST = (1, 41)
"""Docker 20.10, which Debian 12 has."""
NEWEST = (1, 45)
"""A newer engine is spoken to in this version while it still knows it, and then in its own oldest."""

Parameters = Mapping[str, str | int | bool]
Shape = TypeVar("Shape")


class _Version(msgspec.Struct, frozen=True):
    api: str = msgspec.field(name="ApiVersion", default="")
    oldest: str = msgspec.field(name="MinAPIVersion", default="")
    release: str = msgspec.field(name="Version", default="unknown")


class _Place(msgspec.Struct, frozen=True):
    data_root: str = msgspec.field(name="DockerRootDir", default="")


class Engine:
    """One Docker Engine, connected to when it is first needed. May be shared by tasks and by drivers.

    Every method raises Unavailable, with the remedy, when the engine does not answer or is too old, and DockerError when it refuses.
    """

    def __init__(self, url: str = "unix:///var/run/docker.sock", *, patience: float = 120.0) -> None:
        """`url` starts with unix://, tcp://, http://, https:// or ssh://. A call without an answer for `patience` seconds fails."""
        if not url.startswith(("unix://", "tcp://", "http://", "https://", "ssh://")):
            raise errors.Invalid(
                f"{url!r} is no address of a Docker Engine: write it like unix:///var/run/docker.sock or tcp://host:2376."
            )
        self.url = url
        self.patience = patience
        self._docker: aiodocker.Docker | None = None
        self._api: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the next call opens them again."""
        docker, self._docker, self._api = self._docker, None, None
        if docker is not None:
            await docker.close()
            if docker.connector is not None:
                await docker.connector.close()

    async def call(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        *,
        body: object = None,
        patience: float | None = None,
    ) -> bytes:
        """The whole answer. `patience` replaces the usual one for calls that take long by nature."""
        async with self.stream(method, path, parameters, body=body, total=patience or self.patience) as response:
            return await response.read()

    async def read(
        self,
        path: str,
        shape: type[Shape],
        parameters: Parameters | None = None,
        *,
        method: str = "GET",
        body: object = None,
    ) -> Shape:
        """The answer in the shape wanted."""
        answer = await self.call(method, path, parameters, body=body)
        async with self.reachable():
            return msgspec.json.decode(answer, type=shape)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        *,
        body: object = None,
        total: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer as it comes; the engine waits while it is not read. Without `total` it may take for ever."""
        response = await self.ask(method, path, parameters, body=body, total=total)
        async with self.reachable():
            try:
                yield response
            finally:
                # Not release(), which waits for the end of a stream that may have none. A body read to its end is back in the pool already.
                response.close()

    async def ask(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        *,
        body: object = None,
        total: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        """The beginning of an answer, whose rest is read within `reachable`, and which the caller closes.

        A body that is neither bytes nor an iterator of them is sent as JSON.
        """
        async with self.reachable():
            # aiodocker has no public way to get at the bytes of an answer; this is the only place that reaches behind it.
            return await (await self._connected())._do_query(
                path,
                method,
                params=parameters,
                data=body if body is None or isinstance(body, bytes | AsyncIterator) else msgspec.json.encode(body),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=total, sock_connect=10),
            )

    async def take_over(self, path: str, parameters: Parameters | None = None, *, body: object = None) -> RawConnection:
        """A connection to what runs, which the caller closes."""
        async with self.reachable(), asyncio.timeout(self.patience):
            upgrade = {"Connection": "Upgrade", "Upgrade": "tcp"}
            return RawConnection(await self.ask("POST", path, parameters, body=body, headers=upgrade))

    async def explain(self, error: aiodocker.DockerError, doing: str) -> errors.Failure:
        """What a refusal means that is not special to what was being done, such as "start the container"."""
        text = " ".join(error.message.split())
        if disk_full(text):
            return errors.Unavailable(f"{await self.disk()} is full: free some space there, then try again.")
        match error.status:
            case 400:
                return errors.Invalid(f"Docker refuses to {doing}: {text}")
            case 404:
                return errors.NotFound(f"Docker cannot {doing}: {text}")
            case 409:
                return errors.Conflict(f"Docker cannot {doing} now: {text}")
            case _:
                return errors.Unavailable(f"Docker failed to {doing}: {text}")

    async def disk(self) -> str:
        """The disk that images and containers are kept on, as the beginning of a sentence."""
        try:
            root = (await self.read("info", _Place)).data_root
        except (errors.Failure, aiodocker.DockerError):
            root = ""
        return f"The disk of Docker's data root {root}" if root else "The disk of Docker's data root"

    async def _connected(self) -> aiodocker.Docker:
        if self._docker is None:
            if self.url.startswith("unix://"):
                # As many connections as there are calls: waiting stops, logs and watches must not keep others out.
                connector = aiohttp.UnixConnector(self.url.removeprefix("unix://"), limit=0)
                self._docker = aiodocker.Docker(url="unix://localhost", connector=connector)
            else:
                self._docker = aiodocker.Docker(url=self.url)
        if self._api is None:
            response = await self._docker._do_query(
                "version", "GET", timeout=aiohttp.ClientTimeout(total=self.patience), versioned_api=False
            )
            self._api = _negotiate(msgspec.json.decode(await response.read(), type=_Version))
            self._docker.api_version = self._api
        return self._docker

    @asynccontextmanager
    async def reachable(self) -> AsyncIterator[None]:
        """Around whatever reads from an engine: what goes wrong with the connection is Unavailable, and said with the remedy."""
        try:
            yield
        except aiodocker.DockerError as error:
            if error.status != _NO_CONNECTION:
                raise
            self._api = None
            raise errors.Unavailable(self._remedy(error.__context__)) from error
        except TimeoutError as error:
            raise errors.Unavailable(
                f"The Docker Engine at {self.url} does not answer in time; look at its log, and at its disk."
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            self._api = None
            raise errors.Unavailable(self._remedy(error)) from error
        except msgspec.DecodeError as error:
            raise errors.Unavailable(
                f"What answers at {self.url} does not speak like a Docker Engine: {error}."
            ) from error

    def _remedy(self, cause: BaseException | None) -> str:
        match getattr(cause, "os_error", cause):
            case FileNotFoundError():
                return f"There is no Docker Engine at {self.url}: the socket does not exist. Install or start Docker, or correct the address."
            case PermissionError():
                return (
                    f"This user may not use the Docker Engine at {self.url}: add the user to the docker group"
                    " (usermod -aG docker USER) and log in again, or run as root."
                )
            case ConnectionRefusedError():
                return f"No Docker Engine listens at {self.url}: start it (systemctl start docker), or correct the address."
            case OSError() as error if not isinstance(error, ConnectionError):
                return f"The Docker Engine at {self.url} cannot be reached: {error.strerror or error}."
            case _:
                return f"The Docker Engine at {self.url} broke off the connection; it may be restarting."


_NO_CONNECTION = 900
"""The status that aiodocker invents for a call that did not reach the engine."""


def _negotiate(version: _Version) -> str:
    offered, oldest = _number(version.api), _number(version.oldest)
    if offered < OLDEST:
        raise errors.Unavailable(
            f"The Docker Engine {version.release} is too old: it speaks API {version.api or 'of no version'},"
            f" and {OLDEST[0]}.{OLDEST[1]} (Docker 20.10) is the oldest that will do. Upgrade it."
        )
    major, minor = min(offered, max(NEWEST, oldest))
    return f"v{major}.{minor}"


def _number(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)


def disk_full(text: str) -> bool:
    """Whether this is how the engine says that its disk is full."""
    return "no space left on device" in text.lower() or "disk quota exceeded" in text.lower()


async def lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The documents of a stream of JSON lines, however long each is."""
    rest = b""
    async for piece in response.content.iter_any():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


async def demultiplex(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The output of a process without a terminal, standard output and standard error in the order they came.

    Raises Unavailable for the engine's own complaints.
    """
    frames = Frames()
    async for content in response.content.iter_any():
        for piece in frames.feed(content):
            yield piece.content
    frames.end()
