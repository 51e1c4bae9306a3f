"""Sessions over real connections: who may have one, what travels on it, and how its end is noticed."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from higgins import errors
from higgins.link import messages
from higgins.link.certificates import Authority
from higgins.link.client import connect
from higgins.link.directory import Directory
from higgins.link.server import Doors, LinkServer
from higgins.model.capsule import CapsuleSpec, CapsuleStatus, Container, Desired
from higgins.model.ids import CapsuleId, ContainerId, ProjectId
from tests.flow.linked import ControlPlane, answers_nothing, control_plane, hello, host, silence, until
from tests.patience import PATIENCE


def work(number: int) -> messages.Work:
    container = Container(id=ContainerId(str(number)), name="web", image="busybox", environment={"FILLING": "x" * 2000})
    return messages.Work(
        capsule_id=CapsuleId(str(number)),
        project_id=ProjectId("p"),
        epoch=1,
        spec=CapsuleSpec(containers=(container,), desired=Desired.RUNNING),
        status=CapsuleStatus(),
    )


@pytest.fixture
async def plane(tmp_path: Path):
    async with control_plane(tmp_path) as plane:
        yield plane


async def test_both_sides_hear_each_other_and_the_host_is_who_its_certificate_says(plane: ControlPlane):
    credentials = plane.credentials()
    async with connect(credentials, answers_nothing) as channel:
        await channel.send(hello(credentials.host_id))
        assert await anext(aiter(channel)) == messages.Welcome(session=1, heartbeat=1.0)
        await channel.send(messages.Heartbeat(known="k", inventory=hello(credentials.host_id).inventory))
        await until(lambda: len(plane.heard) == 2)
    assert plane.proved == [credentials.host_id]
    await until(lambda: plane.ended == 1)
    assert not plane.live.connected(credentials.host_id)


async def test_over_the_unix_socket_nothing_is_proved_and_only_its_owner_may_connect(plane: ControlPlane):
    credentials = plane.credentials()
    async with connect(plane.socket, answers_nothing) as channel:
        await channel.send(hello(credentials.host_id))
        assert isinstance(await anext(aiter(channel)), messages.Welcome)
        await until(lambda: plane.live.connected(credentials.host_id))
    assert plane.proved == [None]
    assert stat.S_IMODE(plane.socket.stat().st_mode) == 0o600


async def test_thousands_of_capsules_travel_in_one_message(plane: ControlPlane):
    many = messages.Changed(number=1, work=tuple(work(number) for number in range(10_000)))
    plane.serve = lambda channel: channel.send(many)
    credentials = plane.credentials()
    async with connect(credentials, answers_nothing) as channel:
        await channel.send(hello(credentials.host_id))
        received = aiter(channel)
        await anext(received)
        assert await anext(received) == many


async def test_a_message_that_waits_to_be_taken_survives_that_the_taker_gives_up(plane: ControlPlane):
    credentials = plane.credentials()
    async with connect(credentials, answers_nothing) as channel:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(aiter(channel))
        await channel.send(hello(credentials.host_id))
        assert isinstance(await anext(aiter(channel)), messages.Welcome)


async def test_the_host_learns_that_the_control_plane_ended_the_session(plane: ControlPlane):
    async def refuse(_: object) -> None:
        raise errors.Forbidden("this host's name is taken")

    plane.serve = refuse
    credentials = plane.credentials()
    async with connect(credentials, answers_nothing) as channel:
        await channel.send(hello(credentials.host_id))
        with pytest.raises(errors.Unavailable, match="name is taken"):
            await silence(channel)
        with pytest.raises(errors.Unavailable):
            await channel.send(hello(credentials.host_id))


async def test_a_newer_session_of_a_host_ends_the_older_one(plane: ControlPlane):
    credentials = plane.credentials()
    async with connect(credentials, answers_nothing) as older:
        await older.send(hello(credentials.host_id))
        await until(lambda: plane.live.connected(credentials.host_id))
        async with host(plane, credentials=credentials):
            with pytest.raises(errors.Unavailable, match="another session"):
                await silence(older)
            await until(lambda: plane.ended == 1)
            assert plane.live.connected(credentials.host_id)


async def test_a_host_cannot_say_that_it_is_another(plane: ControlPlane):
    victim = plane.credentials()
    async with connect(plane.credentials(), answers_nothing) as channel:
        await channel.send(hello(victim.host_id))
        with pytest.raises(errors.Unavailable, match="certificate is for host"):
            await silence(channel)
    assert not plane.live.connected(victim.host_id)


async def test_a_revoked_certificate_is_told_so(plane: ControlPlane):
    credentials = plane.credentials()
    plane.revoked.add(credentials.host_id)
    with pytest.raises(errors.Unavailable, match="revoked"):
        async with connect(credentials, answers_nothing):
            pass
    assert plane.proved == []


async def test_an_expired_certificate_is_told_what_to_do(plane: ControlPlane):
    with pytest.raises(errors.Unavailable, match=r"expired.*enrol again"):
        async with connect(plane.credentials(days=-0.01), answers_nothing):
            pass


async def test_a_host_does_not_trust_another_control_plane(plane: ControlPlane, tmp_path: Path):
    foreign = ControlPlane(directory=tmp_path, authority=Authority.open(tmp_path / "other"), entrances=plane.ports)
    with pytest.raises(errors.Unavailable, match="not the one that this host enrolled with"):
        async with connect(foreign.credentials(), answers_nothing):
            pass


async def test_a_control_plane_does_not_trust_a_host_of_another(plane: ControlPlane, tmp_path: Path):
    foreign = ControlPlane(directory=tmp_path, authority=Authority.open(tmp_path / "other"), entrances=plane.ports)
    credentials = foreign.credentials()
    mixed = replace(credentials, authority=plane.authority.certificate.decode())
    with pytest.raises(errors.Unavailable, match=r"does not trust.*enrol again"):
        async with connect(mixed, answers_nothing):
            pass
    assert plane.proved == []


async def test_nobody_answering_is_told_with_the_address_and_at_once(plane: ControlPlane, unused_tcp_port: int):
    credentials = plane.credentials()
    silent = replace(credentials, address=f"127.0.0.1:{unused_tcp_port}")
    for _ in range(3):
        with pytest.raises(errors.Unavailable, match=f"127.0.0.1:{unused_tcp_port}.*higgins serve"):
            async with asyncio.timeout(PATIENCE), connect(silent, answers_nothing, within=3 * PATIENCE):
                pass


async def test_a_control_plane_that_is_back_is_found_at_once(plane: ControlPlane, unused_tcp_port: int):
    credentials = replace(plane.credentials(), address=f"127.0.0.1:{unused_tcp_port}")
    for _ in range(5):
        with pytest.raises(errors.Unavailable):
            async with connect(credentials, answers_nothing):
                pass
    async with _relay(plane.ports.link, unused_tcp_port):
        async with connect(credentials, answers_nothing, within=1.0):
            pass


async def test_what_the_body_of_a_session_raises_comes_out_as_it_is(plane: ControlPlane):
    with pytest.raises(KeyError):
        async with connect(plane.credentials(), answers_nothing):
            raise KeyError("mine")


async def test_a_dead_network_is_noticed_on_both_sides(tmp_path: Path):
    async with control_plane(tmp_path, keepalive=0.5) as plane:
        async with _relay(plane.ports.link) as relay:
            credentials = plane.credentials()
            away = replace(credentials, address=f"127.0.0.1:{relay.port}")
            async with connect(away, answers_nothing, keepalive=0.5) as channel:
                await channel.send(hello(credentials.host_id))
                await until(lambda: plane.live.connected(credentials.host_id))
                relay.passing.clear()
                with pytest.raises(errors.Unavailable):
                    await asyncio.wait_for(silence(channel), 5)
            await until(lambda: plane.ended == 1)
            relay.passing.set()


async def test_a_port_in_use_is_told_with_the_address(plane: ControlPlane, tmp_path: Path):
    second = LinkServer(
        directory=Directory(),
        authority=plane.authority,
        tokens=plane.tokens,
        serve_session=plane.serve_session,
        allowed=plane.allowed,
    )
    with pytest.raises(errors.Unavailable, match=plane.address):
        async with second.listen(Doors(link=plane.address)):
            pass
    with pytest.raises(errors.Unavailable, match=r"missing/x\.sock"):
        async with second.listen(Doors(socket=tmp_path / "missing/x.sock")):
            pass


class _Relay:
    """A network between the two that can fall silent without closing anything."""

    def __init__(self, target: int) -> None:
        self.passing = asyncio.Event()
        self.passing.set()
        self.port = 0
        self._target = target

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back))
                group.create_task(self._pass(there, writer))
        finally:
            writer.close()
            back.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65536):
                await self.passing.wait()
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            return


@asynccontextmanager
async def _relay(target: int, port: int = 0) -> AsyncIterator[_Relay]:
    relay = _Relay(target)
    server = await asyncio.start_server(relay.connected, "127.0.0.1", port)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
