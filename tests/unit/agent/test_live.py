"""Live calls answered from a runtime and from a store of images."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, get_args

import pytest

from higgins import errors
from higgins.agent.holds import Holds
from higgins.agent.live import LiveAnswers
from higgins.agent.shelf import Shelf
from higgins.logic import documents
from higgins.model.capsule import Progress
from higgins.model.ids import ContainerId, ExecId, ProjectId
from higgins.model.live import (
    Attach,
    Commit,
    Done,
    Ended,
    Enter,
    ExecResult,
    Execute,
    GetArchive,
    Hit,
    Hits,
    ImageFacts,
    Kill,
    Launch,
    ListProcesses,
    LiveRequest,
    PathStat,
    Piece,
    Processes,
    PullImage,
    PutArchive,
    ReadLogs,
    ReadUsage,
    RemoveImage,
    Reply,
    Resize,
    SearchImages,
    Usage,
)
from higgins.testing.images import FakeImages
from tests.patience import PATIENCE

C = ContainerId("c")
E = ExecId("e")
P = ProjectId("p")
STAT = PathStat(name="hosts", size=9, mode=0o644, mtime="2026-01-01T00:00:00Z", link_target="")
PROCESSES = Processes(titles=("PID",), rows=(("1",),))
USAGE = Usage(
    read_at=1.0,
    cpu=2.0,
    system_cpu=3.0,
    cores=4,
    memory=5,
    memory_limit=6,
    block_read=7,
    block_written=8,
    received=9,
    sent=10,
    processes=11,
)
EVERY_REQUEST: Sequence[LiveRequest] = [
    ReadLogs(container_id=C),
    Execute(container_id=C, command=("ls",), timeout=1),
    Launch(container_id=C, exec_id=E, command=("sleep", "60")),
    Enter(container_id=C, exec_id=E, command=("sh",)),
    Attach(container_id=C),
    Resize(container_id=C, width=80, height=24),
    Kill(container_id=C, signal="SIGHUP"),
    ListProcesses(container_id=C),
    ReadUsage(container_id=C),
    GetArchive(container_id=C, path="/etc/hosts"),
    PutArchive(container_id=C, path="/tmp"),
    Commit(container_id=C, project_id=P, repository="mine"),
    PullImage(reference="busybox", project_id=P),
    RemoveImage(reference="busybox"),
    SearchImages(term="busy"),
]


class Program:
    """A Talk that answers each line of input, as told."""

    def __init__(
        self, answer: Callable[[bytes], bytes | None] = lambda given: given, exit_code: int | None = 0
    ) -> None:
        self.taken = b""
        self.closed = False
        self.takes = asyncio.Event()
        self.takes.set()
        self._answer = answer
        self._exit_code = exit_code
        self._output: asyncio.Queue[Piece | None] = asyncio.Queue()

    def print(self, content: bytes, *, aside: bool = False) -> None:
        self._output.put_nowait(Piece(content, aside))

    def end(self) -> None:
        self._output.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Piece]:
        while (piece := await self._output.get()) is not None:
            yield piece

    async def write(self, content: bytes) -> None:
        await self.takes.wait()
        self.taken += content
        said = self._answer(content)
        if said is None:
            self.end()
        else:
            self.print(said)

    async def close_input(self) -> None:
        self.closed = True
        self.end()

    async def exit_code(self) -> int | None:
        return self._exit_code


class Able:
    """The capabilities that live calls use."""

    def __init__(self, program: Program | None = None) -> None:
        self.killed: list[tuple[str, str]] = []
        self.resized: list[tuple[object, ...]] = []
        self.launched: list[tuple[object, ...]] = []
        self.asked: dict[str, Any] = {}
        self.left = False
        self.unpacked = b""
        self.committing = asyncio.Event()
        self.program = program or Program()

    async def kill(self, container_id: ContainerId, signal: str) -> None:
        self.killed.append((container_id, signal))

    async def execute(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> ExecResult:
        if command[0] == "sleep":
            await asyncio.sleep(60)
        return ExecResult(output=f"{container_id} {command} {terminal}".encode(), exit_code=7)

    async def launch(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> None:
        self.launched.append((container_id, command, terminal))

    async def logs(self, container_id: ContainerId, **asked: Any) -> AsyncIterator[bytes]:
        self.asked = asked
        yield b"one"
        yield b"two"

    @asynccontextmanager
    async def attach(self, container_id: ContainerId, **asked: bool) -> AsyncIterator[Program]:
        self.asked = asked
        try:
            yield self.program
        finally:
            self.left = True

    @asynccontextmanager
    async def enter(
        self, container_id: ContainerId, exec_id: ExecId, command: Sequence[str], **asked: bool
    ) -> AsyncIterator[Program]:
        self.asked = {"exec_id": exec_id, "command": command, **asked}
        yield self.program

    async def resize(self, *asked: object) -> None:
        self.resized.append(asked)

    async def processes(self, container_id: ContainerId, arguments: str | None) -> Processes:
        return PROCESSES

    async def usage(self, container_id: ContainerId) -> Usage:
        return USAGE

    @asynccontextmanager
    async def get_archive(
        self, container_id: ContainerId, path: str
    ) -> AsyncIterator[tuple[PathStat, AsyncIterator[bytes]]]:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"t"
            yield b"ar"

        yield STAT, pieces()

    async def put_archive(self, container_id: ContainerId, path: str, pieces: AsyncIterator[bytes]) -> None:
        self.unpacked = b"".join([piece async for piece in pieces])

    async def commit(self, container_id: ContainerId, repository: str, tag: str) -> ImageFacts:
        await self.committing.wait()
        return ImageFacts(digest="sha256:1", size=2)


class Heard:
    """A Line that keeps what is sent."""

    def __init__(self, *given: bytes, ends: bool = True) -> None:
        self.sent: list[bytes] = []
        self.aside: list[bytes] = []
        self.stat: PathStat | None = None
        self.begun = False
        self._given = given
        self._ends = ends

    async def send(self, content: bytes, *, aside: bool = False) -> None:
        (self.aside if aside else self.sent).append(content)

    async def say(self, document: bytes) -> None:
        self.sent.append(document)

    def begin(self) -> None:
        self.begun = True

    def head(self, stat: PathStat) -> None:
        self.stat = stat

    async def input(self) -> AsyncIterator[bytes]:
        for content in self._given:
            yield content
        if not self._ends:
            await asyncio.Event().wait()


def answers(runtime: Any, images: FakeImages | None = None, holds: Holds | None = None) -> LiveAnswers:
    images = images or FakeImages()
    return LiveAnswers(runtime, images, Shelf(images), holds or Holds())


async def ask(runtime: Any, request: LiveRequest, line: Heard | None = None) -> tuple[Reply, list[bytes]]:
    line = line or Heard()
    async with asyncio.timeout(PATIENCE):
        return await answers(runtime)(request, line), line.sent


async def test_logs_come_as_the_runtime_gives_them():
    runtime = Able()
    request = ReadLogs(container_id=C, stderr=False, timestamps=True, tail=5, since=1.5, follow=True)
    assert await ask(runtime, request) == (Done(), [b"one", b"two"])
    assert runtime.asked == {
        "stdout": True,
        "stderr": False,
        "timestamps": True,
        "tail": 5,
        "since": 1.5,
        "follow": True,
    }


async def test_a_command_gives_its_output_and_exit_code():
    request = Execute(container_id=C, command=("ls", "-l"), interactive=True, timeout=1)
    assert await ask(Able(), request) == (Ended(exit_code=7), [b"c ('ls', '-l') True"])


async def test_a_command_that_takes_too_long_is_a_conflict():
    with pytest.raises(errors.Conflict, match=r"^Timeout on executing command: sleep 60$"):
        await ask(Able(), Execute(container_id=C, command=("sleep", "60"), timeout=0.01))


async def test_what_is_launched_is_answered_when_it_has_begun():
    runtime = Able()
    assert await ask(runtime, Launch(container_id=C, exec_id=E, command=("sleep", "60"), terminal=True)) == (Done(), [])
    assert runtime.launched == [("c", ("sleep", "60"), True)]


async def test_a_signal_is_delivered():
    runtime = Able()
    await ask(runtime, Kill(container_id=C, signal="SIGHUP"))
    assert runtime.killed == [("c", "SIGHUP")]


async def test_somebody_attached_says_and_hears_until_the_container_ends():
    runtime = Able(Program(lambda given: None if given == b"exit\n" else given.upper(), exit_code=3))
    runtime.program.print(b"hello", aside=True)
    line = Heard(b"a\n", b"exit\n", ends=False)
    assert await ask(runtime, Attach(container_id=C, logs=True), line) == (Ended(exit_code=3), [b"A\n"])
    assert line.aside == [b"hello"]
    assert runtime.asked == {"stdin": True, "logs": True, "again": False}


async def test_a_command_that_was_entered_reads_the_end_of_its_input():
    runtime = Able()
    request = Enter(container_id=C, exec_id=E, command=("cat",), terminal=False)
    assert await ask(runtime, request, Heard(b"one", b"two")) == (Ended(exit_code=0), [b"one", b"two"])
    assert runtime.program.closed
    assert runtime.asked == {"exec_id": "e", "command": ("cat",), "terminal": False, "stdin": True}


async def test_a_container_that_takes_nothing_is_heard_all_the_same_and_may_end():
    runtime = Able(Program(exit_code=137))
    runtime.program.takes.clear()
    runtime.program.print(b"busy")
    runtime.program.end()
    assert await ask(runtime, Attach(container_id=C), Heard(b"x" * 100, ends=False)) == (
        Ended(exit_code=137),
        [b"busy"],
    )


async def test_input_that_nobody_asked_for_reaches_nobody_and_stops_nobody():
    runtime = Able()
    runtime.program.print(b"out")
    runtime.program.end()
    assert await ask(runtime, Attach(container_id=C, stdin=False), Heard(b"in")) == (Ended(exit_code=0), [b"out"])
    assert runtime.program.taken == b""
    assert not runtime.program.closed


async def test_a_caller_is_told_of_the_attachment_before_anything_is_said_and_is_detached_by_leaving():
    runtime, line = Able(), Heard(b"a", ends=False)
    runtime.program.takes.clear()
    async with asyncio.TaskGroup() as group:
        call = group.create_task(answers(runtime)(Attach(container_id=C), line))
        while not line.begun:
            await asyncio.sleep(0)
        assert line.sent == []
        runtime.program.takes.set()
        while runtime.program.taken != b"a":
            await asyncio.sleep(0)
        call.cancel()
    assert runtime.left


async def test_a_terminal_gets_its_size():
    runtime = Able()
    await ask(runtime, Resize(container_id=C, exec_id=E, width=80, height=24))
    assert runtime.resized == [("c", "e", 80, 24)]


async def test_processes_and_usage_are_told():
    assert await ask(Able(), ListProcesses(container_id=C)) == (PROCESSES, [])
    assert await ask(Able(), ReadUsage(container_id=C)) == (USAGE, [])


async def test_an_archive_goes_out_after_what_it_is():
    line = Heard()
    assert await ask(Able(), GetArchive(container_id=C, path="/etc/hosts"), line) == (Done(), [b"t", b"ar"])
    assert line.stat == STAT


async def test_an_archive_goes_in():
    runtime = Able()
    assert await ask(runtime, PutArchive(container_id=C, path="/tmp"), Heard(b"ta", b"r")) == (Done(), [])
    assert runtime.unpacked == b"tar"


async def test_a_container_is_held_as_long_as_an_image_is_made_of_it():
    runtime, images, holds = Able(), FakeImages(), Holds()
    shelf = Shelf(images)
    answer = LiveAnswers(runtime, images, shelf, holds)  # type: ignore[arg-type]
    request = Commit(container_id=C, project_id=P, repository="mine", tag="v1")
    async with shelf.open(), asyncio.TaskGroup() as group:
        call = group.create_task(answer(request, Heard()))
        while C not in holds:
            await asyncio.sleep(0)
        runtime.committing.set()
        assert await call == ImageFacts(digest="sha256:1", size=2)
    assert C not in holds


async def test_an_image_made_here_is_for_its_project_alone():
    runtime, images = Able(), FakeImages(present=("mine:v1",))
    request = Commit(container_id=C, project_id=P, repository="mine", tag="v1")
    with pytest.raises(errors.Conflict, match="choose another name"):
        await answers(runtime, images)(request, Heard())


async def test_whoever_waits_for_an_image_is_told_how_far_it_is():
    images = FakeImages(registry=("busybox",))
    shelf, line = Shelf(images), Heard()
    images.slow("fetch", 0.4)
    async with shelf.open():
        facts = await LiveAnswers(Able(), images, shelf, Holds())(PullImage(reference="busybox", project_id=P), line)  # type: ignore[arg-type]
    assert await images.resolve("busybox") == facts
    assert [documents.decode(piece, Progress).layers for piece in line.sent] == [0, 2]


async def test_an_image_is_removed():
    images = FakeImages(present=("busybox",))
    assert await answers(Able(), images)(RemoveImage(reference="busybox"), Heard()) == Done()
    assert await images.resolve("busybox") is None


async def test_images_are_searched_for():
    images = FakeImages(registry=("busybox", "busybody"))
    assert await answers(Able(), images)(SearchImages(term="busy"), Heard()) == Hits(
        hits=(Hit(name="busybody"), Hit(name="busybox"))
    )
    assert await answers(Able(), images)(SearchImages(term="busybox", exact=True), Heard()) == Hits(
        hits=(Hit(name="busybox"),)
    )


def test_every_request_is_tried_here():
    assert {type(request) for request in EVERY_REQUEST} == set(get_args(LiveRequest))


@pytest.mark.parametrize("request_", EVERY_REQUEST[:11], ids=lambda request: type(request).__name__)
async def test_what_the_runtime_cannot_do_is_said(request_: LiveRequest):
    with pytest.raises(errors.Invalid, match="runtime of the container's host cannot"):
        await ask(object(), request_)
