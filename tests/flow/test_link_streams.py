"""Live calls that go both ways over real connections: what the caller gives, what the host gives, and everybody who stops or leaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from higgins import errors
from higgins.link.client import Line
from higgins.link.frames import WINDOW
from higgins.model.ids import ContainerId, ProjectId
from higgins.model.live import (
    Attach,
    Done,
    Ended,
    GetArchive,
    ImageFacts,
    LiveRequest,
    PathStat,
    Piece,
    PullImage,
    PutArchive,
    Reply,
)
from higgins.protocols.live import Exchange
from tests.flow.linked import ControlPlane, control_plane, host, until
from tests.patience import PATIENCE

C = ContainerId("c")
ATTACH = Attach(container_id=C)
GET = GetArchive(container_id=C, path="/etc/hosts")
PUT = PutArchive(container_id=C, path="/tmp")
STAT = PathStat(name="hosts", size=9, mode=0o644, mtime="2026-01-01T00:00:00Z", link_target="")
EVERY_BYTE = bytes(range(256))


@pytest.fixture(params=[False, True], ids=["over TLS", "within the process"])
async def plane(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[ControlPlane]:
    async with control_plane(tmp_path, beside=request.param) as plane:
        yield plane


async def echo(request: LiveRequest, line: Line) -> Reply:
    async for content in line.input():
        await line.send(content)
    return Ended(exit_code=5)


class Deaf:
    """Answers without taking anything, until it is stopped."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    async def __call__(self, request: LiveRequest, line: Line) -> Reply:
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()
        return Done()


async def collect(exchange: Exchange[Reply]) -> bytes:
    return b"".join([piece.content async for piece in exchange])


async def give(exchange: Exchange[Reply], *pieces: bytes) -> None:
    for piece in pieces:
        await exchange.send(piece)
    await exchange.end()


async def give_until_stopped(exchange: Exchange[Reply], seconds: float = 0.5) -> int:
    """How much could be given."""
    given = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                await exchange.send(b"x" * 50_000)
                given += 50_000
    except TimeoutError:
        return given


async def test_every_byte_goes_through_in_both_directions(plane: ControlPlane):
    content = EVERY_BYTE * 40_000
    async with host(plane, echo) as (host_id, _), asyncio.TaskGroup() as group:
        async with plane.live.open(host_id, ATTACH, Ended) as exchange:
            group.create_task(give(exchange, content, *(EVERY_BYTE[at : at + 1] for at in range(256))))
            assert await collect(exchange) == content + EVERY_BYTE
            assert exchange.reply == Ended(exit_code=5)


async def test_an_answer_comes_before_the_input_is_over(plane: ControlPlane):
    async with host(plane, echo) as (host_id, _):
        async with plane.live.open(host_id, ATTACH, Ended) as exchange:
            pieces = aiter(exchange)
            for word in (b"one", b"two"):
                await exchange.send(word)
                assert await asyncio.wait_for(anext(pieces), 1) == Piece(word)
            await exchange.end()
            assert [piece async for piece in pieces] == []
            assert exchange.reply.exit_code == 5


async def test_the_host_reads_the_end_of_the_input_only_when_it_was_said(plane: ControlPlane):
    whole, ended = [], asyncio.Event()

    async def answer(request: LiveRequest, line: Line) -> Reply:
        try:
            whole.append(b"".join([content async for content in line.input()]))
        finally:
            ended.set()
        return Done()

    async with host(plane, answer) as (host_id, _):
        async with plane.live.open(host_id, PUT, Done) as exchange:
            await exchange.send(b"half an archive")
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        assert whole == []
        async with plane.live.open(host_id, PUT, Done) as exchange:
            await give(exchange, b"a whole", b" archive")
            assert await collect(exchange) == b""
        assert whole == [b"a whole archive"]


async def test_what_is_printed_aside_stays_apart_and_in_order(plane: ControlPlane):
    said = [Piece(b"1"), Piece(b"2", aside=True), Piece(b"3"), Piece(b"4", aside=True)]

    async def answer(request: LiveRequest, line: Line) -> Reply:
        for piece in said:
            await line.send(piece.content, aside=piece.aside)
        return Ended()

    async with host(plane, answer) as (host_id, _):
        async with plane.live.open(host_id, ATTACH, Ended) as exchange:
            assert [piece async for piece in exchange] == said
            assert exchange.reply.exit_code is None


async def test_what_comes_first_is_known_before_the_pieces(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        line.head(STAT)
        await line.send(b"tar")
        return Done()

    async with host(plane, answer) as (host_id, _):
        async with plane.live.open(host_id, GET, Done) as exchange:
            assert await exchange.head() == STAT
            assert await exchange.head() == STAT
            assert await collect(exchange) == b"tar"
            assert exchange.reply == Done()
        async with plane.live.open(host_id, GET, Done) as exchange:
            assert await collect(exchange) == b"tar"
            assert await exchange.head() == STAT


async def test_a_failure_comes_instead_of_what_comes_first(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        raise errors.NotFound("there is no /etc/hosts")

    async with host(plane, answer) as (host_id, _):
        async with plane.live.open(host_id, GET, Done) as exchange:
            with pytest.raises(errors.NotFound, match="no /etc/hosts"):
                await exchange.head()


async def test_a_document_arrives_as_one_piece_each(plane: ControlPlane):
    documents = [b"{%d}" % number for number in range(1000)]

    async def answer(request: LiveRequest, line: Line) -> Reply:
        for document in documents:
            await line.say(document)
        return ImageFacts(digest="sha256:1", size=2)

    pull = PullImage(reference="busybox", project_id=ProjectId("p"))
    async with host(plane, answer) as (host_id, _):
        async with plane.live.open(host_id, pull, ImageFacts) as exchange:
            assert [piece.content async for piece in exchange] == documents
            assert exchange.reply == ImageFacts(digest="sha256:1", size=2)


async def test_a_host_that_takes_nothing_soon_stops_the_caller(plane: ControlPlane):
    async with host(plane, Deaf()) as (host_id, _):
        async with plane.live.open(host_id, ATTACH, Ended) as exchange:
            assert WINDOW <= await give_until_stopped(exchange) < 2 * WINDOW


async def test_a_caller_goes_on_when_the_host_takes_again(plane: ControlPlane):
    taking = asyncio.Event()
    content = EVERY_BYTE * (5 * WINDOW // 256)

    async def answer(request: LiveRequest, line: Line) -> Reply:
        await taking.wait()
        return await echo(request, line)

    async with host(plane, answer) as (host_id, _), asyncio.TaskGroup() as group:
        async with plane.live.open(host_id, ATTACH, Ended) as exchange:
            giving = group.create_task(give(exchange, content))
            await asyncio.sleep(0.3)
            assert not giving.done()
            taking.set()
            async with asyncio.timeout(PATIENCE):
                assert await collect(exchange) == content


@pytest.mark.parametrize("deaf", [True, False])
async def test_the_host_stops_when_a_caller_who_gives_leaves(plane: ControlPlane, deaf: bool):
    stopped = asyncio.Event()

    async def answer(request: LiveRequest, line: Line) -> Reply:
        try:
            if deaf:
                await asyncio.Event().wait()
            return await echo(request, line)
        finally:
            stopped.set()

    async with host(plane, answer) as (host_id, _):
        async with plane.live.open(host_id, ATTACH, Ended) as exchange:
            # Nothing is read of what comes back: neither direction moves any more.
            await give_until_stopped(exchange)
        async with asyncio.timeout(PATIENCE):
            await stopped.wait()


async def test_giving_to_a_call_that_is_over_does_nothing(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        return Ended(exit_code=1)

    async with host(plane, answer) as (host_id, _):
        async with plane.live.open(host_id, ATTACH, Ended) as exchange:
            async with asyncio.timeout(PATIENCE):
                await give(exchange, b"x" * 10 * WINDOW, b"more")
            assert await collect(exchange) == b""
            assert exchange.reply.exit_code == 1


async def test_a_caller_who_waits_for_room_goes_on_when_the_host_ends_the_call(plane: ControlPlane):
    release = asyncio.Event()

    async def answer(request: LiveRequest, line: Line) -> Reply:
        await release.wait()
        raise errors.Conflict("the disk is full")

    async with host(plane, answer) as (host_id, _), asyncio.TaskGroup() as group:
        async with plane.live.open(host_id, PUT, Done) as exchange:
            giving = group.create_task(give(exchange, b"x" * 10 * WINDOW))
            await asyncio.sleep(0.2)
            assert not giving.done()
            release.set()
            with pytest.raises(errors.Conflict, match="disk is full"):
                await collect(exchange)
            async with asyncio.timeout(PATIENCE):
                await giving


async def test_both_sides_are_told_when_the_session_is_lost(plane: ControlPlane):
    stopped = asyncio.Event()

    async def answer(request: LiveRequest, line: Line) -> Reply:
        try:
            return await echo(request, line)
        finally:
            stopped.set()

    async with asyncio.TaskGroup() as group:
        lost: list[errors.Failure] = []

        async def talk(host_id: object, begun: Callable[[], None]) -> None:
            async with plane.live.open(host_id, ATTACH, Ended) as exchange:  # type: ignore[arg-type]
                await exchange.send(b"hello")
                await anext(aiter(exchange))
                begun()
                try:
                    await collect(exchange)
                except errors.Failure as failure:
                    lost.append(failure)
                await exchange.send(b"into the void")

        begun = asyncio.Event()
        async with host(plane, answer) as (host_id, _):
            group.create_task(talk(host_id, begun.set))
            await begun.wait()
    assert stopped.is_set()
    assert [type(failure) for failure in lost] == [errors.Unavailable]
    assert "try again" in lost[0].message


async def test_fifty_callers_talk_at_once(plane: ControlPlane):
    async def talk(host_id: object, number: int) -> bytes:
        async with plane.live.open(host_id, ATTACH, Ended) as exchange, asyncio.TaskGroup() as group:  # type: ignore[arg-type]
            group.create_task(give(exchange, b"%d\n" % number * 10_000))
            return await collect(exchange)

    async with host(plane, echo) as (host_id, _), asyncio.TaskGroup() as group:
        calls = [group.create_task(talk(host_id, number)) for number in range(50)]
    assert [call.result() for call in calls] == [b"%d\n" % number * 10_000 for number in range(50)]


async def test_those_who_stop_disturb_nobody_else(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        if isinstance(request, PutArchive):
            await asyncio.Event().wait()
        return await echo(request, line)

    async with host(plane, answer) as (host_id, _), asyncio.TaskGroup() as group:
        release = asyncio.Event()

        async def stall() -> None:
            async with plane.live.open(host_id, PUT, Done) as exchange:
                await give_until_stopped(exchange, 0.2)
                await release.wait()

        for _ in range(20):
            group.create_task(stall())
        await asyncio.sleep(0.4)
        async with asyncio.timeout(PATIENCE), plane.live.open(host_id, ATTACH, Ended) as exchange:
            await give(exchange, b"hello")
            assert await collect(exchange) == b"hello"
        release.set()
    await until(lambda: not plane.live._calls)


async def test_a_host_takes_only_so_many_calls_at_once(tmp_path: Path):
    async with control_plane(tmp_path, most=2) as plane, host(plane, echo) as (host_id, _):
        async with plane.live.open(host_id, ATTACH, Ended):
            async with plane.live.open(host_id, ATTACH, Ended):
                with pytest.raises(errors.Unavailable, match="as many as it takes"):
                    await plane.live.ask(host_id, ATTACH, Ended)
            async with plane.live.open(host_id, ATTACH, Ended) as exchange:
                await exchange.end()
                assert await collect(exchange) == b""
