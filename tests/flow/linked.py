"""A control plane and hosts that speak over real connections, with the rooms above replaced by the smallest thing."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from higgins import errors
from higgins.aio.beside import beside
from higgins.link import certificates
from higgins.link.certificates import Authority
from higgins.link.client import Answer, Line, connect
from higgins.link.credentials import Credentials
from higgins.link.directory import Directory
from higgins.link.enrolment import JoinToken
from higgins.link.messages import ControlChannel, Hello, HostChannel, HostMessage, Welcome
from higgins.link.server import Doors, Entrances, LinkServer
from higgins.model.host import Inventory
from higgins.model.ids import HostId
from higgins.model.live import LiveRequest, Reply
from tests.patience import PATIENCE


class Tokens:
    """Good once, while they have not expired."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        self.taken: set[str] = set()

    async def consume(self, digest: str, host_id: HostId, name: str) -> bool:
        if name in self.taken:
            raise errors.Conflict(f"there is another host with the name {name}")
        if digest not in self.good:
            return False
        self.good.remove(digest)
        return True


@dataclass
class ControlPlane:
    """What a test sees of it."""

    directory: Path
    authority: Authority
    beside: bool = False
    """Its hosts are in its process."""
    live: Directory = field(default_factory=Directory)
    tokens: Tokens = field(default_factory=Tokens)
    revoked: set[HostId] = field(default_factory=set)
    heard: list[HostMessage] = field(default_factory=list)
    proved: list[HostId | None] = field(default_factory=list)
    channels: list[ControlChannel] = field(default_factory=list)
    ended: int = 0
    entrances: Entrances | None = None
    serve: Callable[[ControlChannel], Awaitable[None]] | None = None
    """What a session does after its Welcome, instead of listening."""

    @property
    def ports(self) -> Entrances:
        assert self.entrances is not None, "it does not listen"
        return self.entrances

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports.link}"

    @property
    def socket(self) -> Path:
        return self.directory / "link.sock"

    def token(self) -> str:
        token = JoinToken.make(self.address, self.ports.enrol, self.authority)
        self.tokens.good.add(token.digest)
        return str(token)

    def credentials(self, *, days: float = 7) -> Credentials:
        """A host's, as if it had enrolled."""
        key, request = certificates.request("h1")
        signed = self.authority.host(certificates.new_host_id(), request, lifetime=datetime.timedelta(days=days))
        return Credentials(
            host_id=signed.host_id,
            name="h1",
            address=self.address,
            authority=self.authority.certificate.decode(),
            certificate=signed.certificate.decode(),
            key=key.decode(),
            issued_at=signed.issued_at,
            expires_at=signed.expires_at,
            join_digest="",
        )

    async def serve_session(self, proved: HostId | None, channel: ControlChannel) -> None:
        self.proved.append(proved)
        self.channels.append(channel)
        try:
            async for message in channel:
                self.heard.append(message)
                if isinstance(message, Hello):
                    await channel.send(Welcome(session=len(self.proved), heartbeat=1.0))
                    if self.serve is not None:
                        await self.serve(channel)
        except errors.Unavailable:
            return
        finally:
            self.ended += 1

    async def allowed(self, host_id: HostId, serial: str) -> bool:
        return host_id not in self.revoked and bool(serial)


@asynccontextmanager
async def control_plane(
    directory: Path,
    *,
    keepalive: float = 10.0,
    within: float = 10.0,
    most: int = 1000,
    authority: Authority | None = None,
    beside: bool = False,
) -> AsyncIterator[ControlPlane]:
    plane = ControlPlane(
        directory=directory,
        authority=authority or Authority.open(directory),
        beside=beside,
        live=Directory(within=within, most=most),
    )
    server = LinkServer(
        directory=plane.live,
        authority=plane.authority,
        tokens=plane.tokens,
        serve_session=plane.serve_session,
        allowed=plane.allowed,
    )
    doors = Doors(link="127.0.0.1:0", enrol="127.0.0.1:0", socket=plane.socket)
    async with server.listen(doors, keepalive=keepalive) as plane.entrances:
        yield plane


async def answers_nothing(request: LiveRequest, line: Line) -> Reply:
    raise AssertionError(f"nobody should ask {request}")


def hello(host_id: HostId) -> Hello:
    return Hello(host_id=host_id, name="h1", availability_zone="nova", inventory=Inventory(runtime="fake"))


@asynccontextmanager
async def host(
    plane: ControlPlane, answer: Answer = answers_nothing, *, credentials: Credentials | None = None
) -> AsyncIterator[tuple[HostId, HostChannel]]:
    """A host whose session has begun, and which listens."""
    held = credentials or plane.credentials()
    async with connect(held, answer, near=plane.ports.near if plane.beside else None, keepalive=1.0) as channel:
        await channel.send(hello(held.host_id))
        assert isinstance(await anext(aiter(channel)), Welcome)
        async with beside() as start:
            start(_drain(channel))
            await until(lambda: plane.live.connected(held.host_id))
            yield held.host_id, channel


async def silence(channel: HostChannel) -> None:
    """Returns, or raises, when the session is over."""
    async for _ in channel:
        pass


async def until(truth: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not truth():
            await asyncio.sleep(0.005)


async def _drain(channel: HostChannel) -> None:
    try:
        await silence(channel)
    except errors.Unavailable:
        return
