"""Live calls over real connections: answers, failures, flow control, and everybody who goes away in the middle."""

import asyncio
import resource
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import NoReturn

import pytest

from higgins import errors
from higgins.link import dialling, envelopes, messages
from higgins.link.client import Line
from higgins.link.higgins_pb2_grpc import LinkStub
from higgins.link.messages import ControlChannel
from higgins.model.ids import ContainerId, HostId
from higgins.model.live import Done, Ended, ExecResult, Execute, Kill, LiveRequest, ReadLogs, Reply
from tests.flow.linked import ControlPlane, control_plane, hello, host, until
from tests.patience import PATIENCE

LOGS = ReadLogs(container_id=ContainerId("c"))
EXECUTE = Execute(container_id=ContainerId("c"), command=("ls",), timeout=1.0)
KILL = Kill(container_id=ContainerId("c"), signal="SIGHUP")


@pytest.fixture(params=[False, True], ids=["over TLS", "within the process"])
async def plane(tmp_path: Path, request: pytest.FixtureRequest):
    async with control_plane(tmp_path, beside=request.param) as plane:
        yield plane


async def logs(plane: ControlPlane, host_id: HostId) -> AsyncGenerator[bytes, None]:
    async with plane.live.open(host_id, LOGS, Done) as exchange:
        async for piece in exchange:
            yield piece.content


async def execute(plane: ControlPlane, host_id: HostId, request: Execute) -> ExecResult:
    async with plane.live.open(host_id, request, Ended) as exchange:
        output = b"".join([piece.content async for piece in exchange])
    assert exchange.reply.exit_code is not None
    return ExecResult(output=output, exit_code=exchange.reply.exit_code)


async def collect(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


class Endless:
    """Answers with pieces until it is stopped."""

    def __init__(self, piece: bytes = b"x" * 100_000) -> None:
        self.sent = 0
        self.stopped = asyncio.Event()
        self._piece = piece

    async def __call__(self, request: LiveRequest, line: Line) -> NoReturn:
        try:
            while True:
                await line.send(self._piece)
                self.sent += len(self._piece)
        finally:
            self.stopped.set()


async def test_logs_arrive_in_pieces_in_order(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        assert request == LOGS
        for number in range(100):
            await line.send(b"%d\n" % number)
        return Done()

    async with host(plane, answer) as (host_id, _):
        assert await collect(logs(plane, host_id)) == b"".join(b"%d\n" % number for number in range(100))


async def test_a_piece_may_be_larger_than_a_frame(plane: ControlPlane):
    large = bytes(range(256)) * 40_000

    async def answer(request: LiveRequest, line: Line) -> Reply:
        await line.send(large)
        return Ended(exit_code=3)

    async with host(plane, answer) as (host_id, _):
        assert await execute(plane, host_id, EXECUTE) == ExecResult(output=large, exit_code=3)


async def test_a_signal_is_delivered_when_the_call_returns(plane: ControlPlane):
    delivered = []

    async def answer(request: LiveRequest, line: Line) -> Reply:
        await asyncio.sleep(0.05)
        delivered.append(request)
        return Done()

    async with host(plane, answer) as (host_id, _):
        await plane.live.ask(host_id, KILL, Done)
        assert delivered == [KILL]


@pytest.mark.parametrize(
    "failure",
    [
        errors.Invalid("no such signal"),
        errors.NotFound("no such container", code="container-gone"),
        errors.Conflict("it does not run"),
        errors.Unavailable("Docker does not answer", retry_after=7),
        errors.Broken("really"),
    ],
)
async def test_a_failure_keeps_its_remedy_message_and_code(plane: ControlPlane, failure: errors.Failure):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        raise failure

    async with host(plane, answer) as (host_id, _):
        for ask in (plane.live.ask(host_id, KILL, Done), execute(plane, host_id, EXECUTE)):
            with pytest.raises(type(failure)) as caught:
                await ask
            assert (caught.value.message, caught.value.name) == (failure.message, failure.name)
            assert caught.value.retry_after == failure.retry_after


async def test_a_failure_after_some_pieces_comes_after_them(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        await line.send(b"some")
        raise errors.Unavailable("the disk is gone")

    async with host(plane, answer) as (host_id, _):
        pieces = logs(plane, host_id)
        assert await anext(pieces) == b"some"
        with pytest.raises(errors.Unavailable, match="disk is gone"):
            await anext(pieces)


async def test_a_host_at_fault_is_the_operators_matter(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        raise KeyError("oops")

    async with host(plane, answer) as (host_id, _):
        with pytest.raises(errors.Broken, match="KeyError"):
            await plane.live.ask(host_id, KILL, Done)


async def test_a_reader_that_stops_soon_stops_the_host_and_the_memory(plane: ControlPlane):
    endless = Endless()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with host(plane, endless) as (host_id, _):
        async with aclosing(logs(plane, host_id)) as pieces:
            await anext(pieces)
            await asyncio.sleep(0.3)
            stalled = endless.sent
            await asyncio.sleep(0.3)
            assert endless.sent == stalled
            assert stalled < 32_000_000
            taken = 0
            async for piece in pieces:
                taken += len(piece)
                if taken > stalled:
                    break
            await until(lambda: endless.sent > stalled)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


async def test_a_stalled_reader_disturbs_nobody_else_on_the_connection(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        if isinstance(request, ReadLogs):
            await endless(request, line)
        return Ended(exit_code=0)

    endless = Endless()
    async with host(plane, answer) as (host_id, channel):
        stalled = [logs(plane, host_id) for _ in range(5)]
        for one in stalled:
            await anext(one)
        await asyncio.sleep(0.2)
        async with asyncio.timeout(PATIENCE):
            await execute(plane, host_id, EXECUTE)
            await channel.send(messages.Heartbeat(known="k", inventory=hello(host_id).inventory))
            await until(lambda: len(plane.heard) == 2)
        for one in stalled:
            await one.aclose()


async def test_the_host_stops_when_the_caller_leaves(plane: ControlPlane):
    endless = Endless()
    async with host(plane, endless) as (host_id, _):
        async with aclosing(logs(plane, host_id)) as pieces:
            await anext(pieces)
        async with asyncio.timeout(PATIENCE):
            await endless.stopped.wait()


async def test_the_host_stops_a_silent_answer_when_the_caller_is_cancelled(plane: ControlPlane):
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def answer(request: LiveRequest, line: Line) -> Reply:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return Done()

    async with host(plane, answer) as (host_id, _):
        async with asyncio.TaskGroup() as group:
            call = group.create_task(execute(plane, host_id, EXECUTE))
            await begun.wait()
            call.cancel()
        async with asyncio.timeout(PATIENCE):
            await stopped.wait()


async def test_the_caller_is_told_at_once_when_the_session_is_lost(plane: ControlPlane):
    begun = asyncio.Event()

    async def answer(request: LiveRequest, line: Line) -> Reply:
        await line.send(b"first")
        begun.set()
        await asyncio.Event().wait()
        return Done()

    patient = Execute(container_id=ContainerId("c"), command=("ls",), timeout=60)
    async with asyncio.TaskGroup() as group:
        async with host(plane, answer) as (host_id, _):
            call = group.create_task(_failure_of(plane, host_id, patient))
            await begun.wait()
        async with asyncio.timeout(PATIENCE):
            assert isinstance(await call, errors.Unavailable)
    await until(lambda: not plane.live.connected(host_id))
    with pytest.raises(errors.Unavailable, match="not connected"):
        await execute(plane, host_id, EXECUTE)


async def test_the_caller_is_told_at_once_when_another_session_takes_over(plane: ControlPlane):
    begun = asyncio.Event()

    async def answer(request: LiveRequest, line: Line) -> Reply:
        begun.set()
        await asyncio.Event().wait()
        return Done()

    patient = Execute(container_id=ContainerId("c"), command=("ls",), timeout=60)

    async def busy(channel: ControlChannel) -> None:
        await asyncio.Event().wait()

    # Whoever serves the older session does not notice its end.
    plane.serve = busy
    credentials = plane.credentials()
    async with asyncio.TaskGroup() as group, host(plane, answer, credentials=credentials) as (host_id, _):
        call = group.create_task(_failure_of(plane, host_id, patient))
        await begun.wait()
        async with host(plane, credentials=credentials):
            async with asyncio.timeout(PATIENCE):
                assert isinstance(await call, errors.Unavailable)


async def _failure_of(plane: ControlPlane, host_id: HostId, request: Execute) -> errors.Failure | None:
    try:
        await execute(plane, host_id, request)
    except errors.Failure as failure:
        return failure
    return None


@pytest.fixture
async def hasty(tmp_path: Path):
    async with control_plane(tmp_path / "hasty", within=0.5) as plane:
        yield plane


async def test_a_host_that_never_finishes_costs_a_bounded_time(hasty: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        await asyncio.Event().wait()
        return Done()

    async with host(hasty, answer) as (host_id, _):
        with pytest.raises(errors.Unavailable, match=r"has not answered within 0\.5 s"):
            await hasty.live.ask(host_id, KILL, Done)


async def test_a_host_that_never_begins_costs_a_bounded_time(hasty: ControlPlane):
    credentials = hasty.credentials()
    async with dialling.dial(hasty.address, dialling.Trust.of(credentials)) as channel:
        session = LinkStub(channel).Session()
        await session.write(envelopes.pack_host(hello(credentials.host_id)))
        await until(lambda: hasty.live.connected(credentials.host_id))
        with pytest.raises(errors.Unavailable, match=r"has not answered within 0\.5 s"):
            await collect(logs(hasty, credentials.host_id))


async def test_a_call_can_be_answered_only_once_and_only_by_its_host(plane: ControlPlane):
    release = asyncio.Event()

    async def answer(request: LiveRequest, line: Line) -> Reply:
        await release.wait()
        return Ended(exit_code=0)

    async with host(plane, answer) as (host_id, _), asyncio.TaskGroup() as group:
        call = group.create_task(execute(plane, host_id, EXECUTE))
        await until(lambda: plane.live._calls)
        call_id = next(iter(plane.live._calls))
        assert plane.live.claim(call_id, HostId("another")) is None
        await until(plane.live._calls[call_id].opened.is_set)
        assert plane.live.claim(call_id, host_id) is None
        assert plane.live.claim("unheard of", host_id) is None
        release.set()
        assert (await call).exit_code == 0


async def test_nothing_is_done_for_a_call_that_nobody_waits_for(plane: ControlPlane):
    answered = []

    async def answer(request: LiveRequest, line: Line) -> Reply:
        answered.append(request)
        return Ended(exit_code=0)

    async with host(plane, answer) as (host_id, _):
        channel = plane.channels[-1]
        await channel.send(messages.OpenCall(call_id="long gone", request=KILL))
        await execute(plane, host_id, EXECUTE)
        await asyncio.sleep(0.1)
    assert answered == [EXECUTE]


async def test_hundreds_of_stalled_readers_keep_nobody_out(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        if isinstance(request, ReadLogs):
            await line.send(b"first")
            await asyncio.Event().wait()
        return Ended(exit_code=0)

    async with host(plane, answer) as (host_id, _):
        stalled = [logs(plane, host_id) for _ in range(300)]
        for one in stalled:
            await anext(one)
        assert (await execute(plane, host_id, EXECUTE)).exit_code == 0
        for one in stalled:
            await one.aclose()


async def test_many_calls_run_at_once(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        assert isinstance(request, Execute)
        await asyncio.sleep(0.1)
        await line.send(request.command[0].encode())
        return Ended(exit_code=0)

    async with host(plane, answer) as (host_id, _), asyncio.TaskGroup() as group:
        calls = [
            group.create_task(
                execute(plane, host_id, Execute(container_id=ContainerId("c"), command=(str(number),), timeout=10))
            )
            for number in range(200)
        ]
    assert [call.result().output for call in calls] == [str(number).encode() for number in range(200)]


async def test_what_is_there_arrives_without_waiting_for_more(plane: ControlPlane):
    more = asyncio.Event()

    async def answer(request: LiveRequest, line: Line) -> Reply:
        await line.send(b"first")
        await more.wait()
        await line.send(b"second")
        return Done()

    async with host(plane, answer) as (host_id, _):
        pieces = logs(plane, host_id)
        assert await asyncio.wait_for(anext(pieces), 1) == b"first"
        more.set()
        assert await collect(pieces) == b"second"


async def test_short_pieces_travel_together(plane: ControlPlane):
    async def answer(request: LiveRequest, line: Line) -> Reply:
        for number in range(20_000):
            await line.send(b"%d\n" % number)
        return Done()

    async with host(plane, answer) as (host_id, _):
        pieces = [piece async for piece in logs(plane, host_id)]
    assert b"".join(pieces) == b"".join(b"%d\n" % number for number in range(20_000))
    assert len(pieces) < 200
