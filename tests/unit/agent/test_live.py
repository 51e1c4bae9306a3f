"""Live calls answered from a runtime."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from higgins import errors
from higgins.agent.live import LiveAnswers
from higgins.model.ids import ContainerId
from higgins.model.live import Done, Ended, ExecResult, Execute, Kill, LiveRequest, PathStat, ReadLogs, Reply

C = ContainerId("c")


class Able:
    """The capabilities that live calls use."""

    def __init__(self) -> None:
        self.killed: list[tuple[str, str]] = []
        self.asked: dict[str, Any] = {}

    async def kill(self, container_id: ContainerId, signal: str) -> None:
        self.killed.append((container_id, signal))

    async def execute(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> ExecResult:
        if command[0] == "sleep":
            await asyncio.sleep(60)
        return ExecResult(output=f"{container_id} {command} {terminal}".encode(), exit_code=7)

    async def logs(self, container_id: ContainerId, **asked: Any) -> AsyncIterator[bytes]:
        self.asked = asked
        yield b"one"
        yield b"two"


class Heard:
    """A Line that keeps what is sent."""

    def __init__(self, *given: bytes) -> None:
        self.sent: list[bytes] = []
        self.stat: PathStat | None = None
        self._given = given

    async def send(self, content: bytes, *, aside: bool = False) -> None:
        self.sent.append(content)

    def head(self, stat: PathStat) -> None:
        self.stat = stat

    async def input(self) -> AsyncIterator[bytes]:
        for content in self._given:
            yield content


async def ask(runtime: Any, request: LiveRequest) -> tuple[Reply, list[bytes]]:
    line = Heard()
    return await LiveAnswers(runtime)(request, line), line.sent


async def test_logs_come_as_the_runtime_gives_them():
    runtime = Able()
    assert await ask(runtime, ReadLogs(container_id=C, stderr=False, timestamps=True, tail=5, since=1.5)) == (
        Done(),
        [b"one", b"two"],
    )
    assert runtime.asked == {"stdout": True, "stderr": False, "timestamps": True, "tail": 5, "since": 1.5}


async def test_a_command_gives_its_output_and_exit_code():
    request = Execute(container_id=C, command=("ls", "-l"), interactive=True, timeout=1)
    assert await ask(Able(), request) == (Ended(exit_code=7), [b"c ('ls', '-l') True"])


async def test_a_command_that_takes_too_long_is_a_conflict():
    with pytest.raises(errors.Conflict, match=r"^Timeout on executing command: sleep 60$"):
        await ask(Able(), Execute(container_id=C, command=("sleep", "60"), timeout=0.01))


async def test_a_signal_is_delivered():
    runtime = Able()
    await ask(runtime, Kill(container_id=C, signal="SIGHUP"))
    assert runtime.killed == [("c", "SIGHUP")]


@pytest.mark.parametrize(
    "request_",
    [ReadLogs(container_id=C), Execute(container_id=C, command=("ls",), timeout=1), Kill(container_id=C, signal="S")],
)
async def test_what_the_runtime_cannot_do_is_said(request_: LiveRequest):
    with pytest.raises(errors.Invalid, match="runtime of the container's host cannot"):
        await ask(object(), request_)
