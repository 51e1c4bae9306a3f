"""A runtime in memory, that can be told to be slow, to fail, to forget and to go away."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from higgins import errors
from higgins.logic.reference import Reference
from higgins.model.capsule import Condition, Container, Health, Observation, Resources, Stage
from higgins.model.host import Inventory
from higgins.model.ids import ContainerId, ExecId
from higgins.model.live import ExecResult, ImageFacts, PathStat, Piece, Processes, Usage
from higgins.protocols.runtime import CAPABILITIES, Bound, Origin, Talk
from higgins.testing.files import Files
from higgins.testing.images import FakeImages
from higgins.testing.mischief import Mischief
from higgins.testing.programs import Program, ProgramTalk


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a command does."""

    exit_code: int | None = None
    """None: it runs on."""
    stdout: bytes = b""
    stderr: bytes = b""
    oom_killed: bool = False
    missing: bool = False
    """There is no such command in the image."""


BEHAVIOURS: Mapping[str, Behaviour] = {
    "true": Behaviour(exit_code=0),
    "false": Behaviour(exit_code=1),
    "no-such-command": Behaviour(missing=True),
}
"""By first word. `echo` prints its words and ends; `cat` and `sh` do as `Program` says; every other command runs on."""

_MIB = 1024**2
_REFUSED = 127


@dataclass(slots=True)
class _Line:
    at: float
    error: bool
    text: bytes

    def wanted(self, *, stdout: bool, stderr: bool, since: float | None) -> bool:
        return (stderr if self.error else stdout) and (since is None or self.at >= since)


@dataclass(slots=True)
class _Kept:
    origin: Origin
    container: Container
    seen: Observation
    program: Program
    """What runs in it, or will."""
    files: Files = field(default_factory=Files)
    lines: list[_Line] = field(default_factory=list)
    launched: list[tuple[str, ...]] = field(default_factory=list)
    """The commands in it that nobody waits for."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced by another, with every change."""

    def change(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class FakeRuntime(Mischief):
    """A runtime in memory with every capability. Time stands still but for the clock that is given to it."""

    def __init__(
        self,
        *,
        images: FakeImages | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        capacity: Resources = Resources(cpu=4.0, memory=8192, disk=100),  # noqa: B008 - frozen
        handlers: Sequence[str] = ("runc",),
    ) -> None:
        """Without `images` every image is here; without `clock` each event is a second after the one before."""
        super().__init__(sleep=sleep)
        self._images = images
        if images is not None:
            images.users = lambda: [(kept.container.image, kept.seen.image) for kept in self._kept.values()]
        self._clock = clock or itertools.count(1_000_000_000).__next__
        self._capacity = capacity
        self._handlers = tuple(handlers)
        self._kept: dict[ContainerId, _Kept] = {}
        self._watchers: list[asyncio.Queue[ContainerId | None]] = []
        self._behaviours: dict[tuple[str, ...], Behaviour] = {}
        self.starts: Counter[ContainerId] = Counter()
        """How often each container really was started."""
        self.bound: dict[ContainerId, Sequence[Bound]] = {}
        """What each container that was made sees of the host."""
        self.signals: list[tuple[ContainerId, str]] = []
        """The signals that were delivered."""
        self.entered: dict[tuple[ContainerId, ExecId], Program] = {}
        """The commands that somebody talks to just now."""
        self.gone: set[int] = set()
        """The numbers of processes that have ended. A plug that knows them too loses what was plugged in there."""
        self.bare: set[ContainerId] = set()
        """Sandboxes that were made without a network."""
        self.introduced: dict[ContainerId, str] = {}
        """Sandboxes with the address that their names lead to."""
        self.far = False
        """It is on another machine from now on: nobody here knows what starts there by a number."""
        self._processes = itertools.count(100)
        self._readings = itertools.count(1)

    # What a test tells it

    def behave(self, command: Sequence[str], behaviour: Behaviour) -> None:
        """What this very command does, in a container's start as in an exec."""
        self._behaviours[tuple(command)] = behaviour

    def end(self, container_id: ContainerId, exit_code: int = 0, *, oom_killed: bool = False) -> None:
        """Its command ends."""
        self._bury(container_id)
        self._change(
            container_id,
            stage=Stage.EXITED,
            exit_code=exit_code,
            oom_killed=oom_killed,
            finished_at=float(self._clock()),
            health=None,
            pid=None,
        )
        self._kept[container_id].program.end(exit_code)
        self._kept[container_id].launched.clear()
        for program in self._entered(container_id):
            program.end(137)

    def forget(self, container_id: ContainerId) -> None:
        """It vanishes, as if removed behind our back."""
        self._bury(container_id)
        kept = self._kept.pop(container_id, None)
        if kept is not None:
            kept.program.end(137 if kept.seen.stage is not Stage.CREATED else 0)
            for program in self._entered(container_id):
                program.end(137)
            kept.change()
            self._tell(container_id)

    def print(self, container_id: ContainerId, text: bytes, *, error: bool = False) -> None:
        """It prints, to standard output or standard error."""
        self._kept[container_id].program.say(text, aside=error)

    def size(self, container_id: ContainerId, exec_id: ExecId | None = None) -> tuple[int, int] | None:
        """Width and height of a terminal; None: it was never given one."""
        program = self._kept[container_id].program if exec_id is None else self.entered[container_id, exec_id]
        return program.size

    def check(self, container_id: ContainerId, condition: Condition, *, failures: int = 0, output: str = "") -> None:
        """A health check has this result."""
        self._change(container_id, health=Health(condition=condition, failures=failures, output=output))

    def go_away(self, why: str = "The runtime does not answer.") -> None:
        super().go_away(why)
        for watcher in self._watchers:
            watcher.put_nowait(None)
        for program in (*self.entered.values(), *(kept.program for kept in self._kept.values())):
            program.break_off(errors.Unavailable(why))

    # Runtime

    async def list(self, containers: Sequence[ContainerId] | None = None) -> Mapping[ContainerId, Observation]:
        async with self.call("list"):
            wanted = self._kept if containers is None else containers
            return {each: self._kept[each].seen for each in wanted if each in self._kept}

    def watch(self) -> AsyncIterator[ContainerId]:
        # Here and not in the iterator: what happens before the first look at it is told too.
        changes: asyncio.Queue[ContainerId | None] = asyncio.Queue()
        self._watchers.append(changes)
        return self._told(changes)

    async def create(self, origin: Origin, container: Container, bound: Sequence[Bound] = ()) -> None:
        async with self.call("create", container.id):
            there = self._kept.get(container.id)
            if there is not None:
                if there.origin.capsule_id != origin.capsule_id:
                    raise errors.Conflict(
                        f"The runtime has a container {container.id} that was not made for this one: remove it."
                    )
                return
            if origin.sandbox is not None and origin.sandbox not in self._kept:
                raise errors.Unavailable("The sandbox of the container is gone; it has to be made again.")
            if origin.handler is not None and origin.handler not in self._handlers:
                raise errors.Invalid(f"This host has no runtime {origin.handler!r}. Ask for another one.")
            image = f"sha256:{container.image}"
            if self._images is not None:
                found = self._images.here(container.image)
                if found is None:
                    raise errors.NotFound(
                        f"Image {container.image} could not be found on this host.", code="image-not-found"
                    )
                image = found
            self.bound[container.id] = bound
            shared = self._kept[origin.sandbox].seen.hostname if origin.sandbox is not None else None
            made = _made(origin, container, image, shared or container.hostname)
            self._kept[container.id] = _Kept(origin, container, made, self._program(container))
            self._tell(container.id)

    async def start(self, container_id: ContainerId) -> None:
        async with self.call("start", container_id):
            kept = self._kept.get(container_id)
            if kept is None:
                raise errors.Conflict("The container cannot start: it is gone from the runtime.")
            match kept.seen.stage:
                case Stage.RUNNING:
                    return
                case Stage.PAUSED:
                    raise errors.Conflict("The container cannot start now: it is paused.")
            if kept.origin.sandbox not in (None, container_id) and not self._lives(kept.origin.sandbox):
                raise errors.Unavailable("The sandbox of the container does not run.")
            command = (*(kept.container.entrypoint or ()), *(kept.container.command or ()))
            does = self._does(command)
            if does.missing:
                message = f"The command {command[0]!r} was not found in the image. Check the command."
                self._change(container_id, error=message, exit_code=127)
                raise errors.Invalid(message)
            self.starts[container_id] += 1
            if kept.program.exit_code is not None:
                kept.program = self._program(kept.container)
            self._change(
                container_id,
                stage=Stage.RUNNING,
                pid=None if self.far else next(self._processes),
                started_at=float(self._clock()),
                finished_at=None,
                exit_code=None,
                error=None,
                oom_killed=False,
                health=Health(condition=Condition.STARTING) if kept.container.healthcheck else None,
            )
            self.print(container_id, does.stdout)
            self.print(container_id, does.stderr, error=True)
            if does.exit_code is not None:
                self.end(container_id, does.exit_code, oom_killed=does.oom_killed)
            else:
                kept.program.run()

    async def stop(self, container_id: ContainerId, timeout: int) -> None:
        async with self.call("stop", container_id):
            if self._lives(container_id):
                self.end(container_id, 137)

    async def remove(self, container_id: ContainerId) -> None:
        async with self.call("remove", container_id):
            self.forget(container_id)

    async def inventory(self) -> Inventory:
        async with self.call("inventory"):
            return Inventory(
                runtime="fake",
                runtime_version="1",
                handlers=self._handlers,
                default_handler=self._handlers[0],
                capabilities=tuple(name for name, protocol in CAPABILITIES.items() if isinstance(self, protocol)),
                capacity=self._capacity,
                architecture="x86_64",
                os_type="linux",
                os="A machine in memory",
                kernel_version="0",
                containers=len(self._kept),
            )

    # Sandboxes

    async def create_sandbox(
        self, origin: Origin, sandbox: ContainerId, *, hostname: str | None = None, bare: bool = False
    ) -> None:
        async with self.call("create_sandbox", sandbox):
            if sandbox not in self._kept:
                empty = Container(id=sandbox, name="", image="pause", hostname=hostname)
                made = _made(origin, empty, "sha256:pause", hostname)
                self._kept[sandbox] = _Kept(origin, empty, made, self._program(empty))
                if bare:
                    self.bare.add(sandbox)
                self._tell(sandbox)

    async def introduce(self, sandbox: ContainerId, address: str) -> None:
        async with self.call("introduce", sandbox):
            if sandbox in self._kept:
                self.introduced[sandbox] = address

    # Pauses

    async def pause(self, container_id: ContainerId) -> None:
        async with self.call("pause", container_id):
            self._running(container_id, "be paused")
            self._change(container_id, stage=Stage.PAUSED)

    async def unpause(self, container_id: ContainerId) -> None:
        async with self.call("unpause", container_id):
            self._running(container_id, "be unpaused")
            self._change(container_id, stage=Stage.RUNNING)

    # Signals

    async def kill(self, container_id: ContainerId, signal: str) -> None:
        async with self.call("kill", container_id):
            self._running(container_id, "be signalled")
            if signal not in _SIGNALS:
                raise errors.Invalid(f"{signal} is no signal that this host knows.")
            self.signals.append((container_id, signal))
            if signal == "SIGKILL":
                self.end(container_id, 137)

    # Executes

    async def execute(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> ExecResult:
        async with self.call("execute", container_id):
            if self._stage(container_id) is not Stage.RUNNING:
                raise errors.Conflict("The command cannot be executed: the container does not run, or is paused.")
            does = self._does(command)
            if does.missing:
                return ExecResult(output=f'exec: "{command[0]}": executable file not found\n'.encode(), exit_code=127)
            output = does.stdout + does.stderr
            return ExecResult(
                output=output.replace(b"\n", b"\r\n") if terminal else output, exit_code=does.exit_code or 0
            )

    async def launch(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> None:
        async with self.call("launch", container_id):
            if self._stage(container_id) is not Stage.RUNNING:
                raise errors.Conflict("The command cannot be executed: the container does not run, or is paused.")
            does = self._does(command)
            if does.missing:
                raise errors.Invalid(f"The command {command[0]!r} cannot be executed: it was not found.")
            if does.exit_code is None:
                self._kept[container_id].launched.append(tuple(command))

    # Logs

    async def logs(
        self,
        container_id: ContainerId,
        *,
        stdout: bool,
        stderr: bool,
        timestamps: bool,
        tail: int | None,
        since: float | None,
        follow: bool = False,
    ) -> AsyncIterator[bytes]:
        async with self.call("logs", container_id):
            kept = self._kept.get(container_id)
            if kept is None:
                raise errors.NotFound("The runtime has no such container, so there are no logs of it.")
        wanted = [line for line in kept.lines if line.wanted(stdout=stdout, stderr=stderr, since=since)]
        wanted = wanted if tail is None else wanted[max(0, len(wanted) - tail) :]
        read = len(kept.lines)
        while True:
            for line in wanted:
                self.present()
                yield b"%.9f %b" % (line.at, line.text) if timestamps else line.text
            while follow and len(kept.lines) == read and self._lives(container_id):
                await kept.changed.wait()
            wanted = [line for line in kept.lines[read:] if line.wanted(stdout=stdout, stderr=stderr, since=since)]
            if not follow or len(kept.lines) == read:
                return
            read = len(kept.lines)

    # Updates

    async def update(self, container_id: ContainerId, limits: Resources) -> None:
        async with self.call("update", container_id):
            kept = self._kept.get(container_id)
            if kept is None:
                raise errors.Conflict("The limits cannot be changed: the container is gone from the runtime.")
            self._change(container_id, limits=replace(limits, disk=0))

    # Talks

    @asynccontextmanager
    async def attach(
        self, container_id: ContainerId, *, stdin: bool, logs: bool, again: bool = False
    ) -> AsyncIterator[Talk]:
        async with self.call("attach", container_id):
            stage = self._stage(container_id)
            if stage not in (Stage.CREATED, Stage.RUNNING) and not (again and stage is Stage.EXITED):
                raise errors.Conflict("Nobody can talk to the container: it does not run, or is paused.")
            kept = self._kept[container_id]
            if stage is Stage.EXITED and kept.program.exit_code is not None:
                kept.program = self._program(kept.container)
        before = [Piece(line.text, aside=line.error) for line in kept.lines] if logs else []
        with kept.program.heard() as ear:
            yield ProgramTalk(kept.program, ear, before=before, stdin=stdin and kept.container.interactive)

    @asynccontextmanager
    async def enter(
        self, container_id: ContainerId, exec_id: ExecId, command: Sequence[str], *, terminal: bool, stdin: bool
    ) -> AsyncIterator[Talk]:
        async with self.call("enter", container_id):
            if self._stage(container_id) is not Stage.RUNNING:
                raise errors.Conflict("The command cannot be executed: the container does not run, or is paused.")
        does = self._does(command)
        program = Program(command, terminal=terminal, stdin=stdin)
        self.entered[container_id, exec_id] = program
        try:
            with program.heard() as ear:
                if does.missing:
                    program.say(f'exec: "{command[0]}": executable file not found\n'.encode())
                    program.end(_REFUSED)
                program.say(does.stdout)
                program.say(does.stderr, aside=True)
                program.end(does.exit_code) if does.exit_code is not None else program.run()
                yield ProgramTalk(program, ear, stdin=stdin)
        finally:
            program.end_input()
            del self.entered[container_id, exec_id]

    async def resize(self, container_id: ContainerId, exec_id: ExecId | None, width: int, height: int) -> None:
        async with self.call("resize", container_id):
            if exec_id is None:
                self._running(container_id, "be resized")
            elif (container_id, exec_id) not in self.entered:
                raise errors.Invalid(f"no command {exec_id} runs in this container")
            program = self._kept[container_id].program if exec_id is None else self.entered[container_id, exec_id]
            if not program.terminal:
                raise errors.Conflict("It has no terminal.")
            program.size = (width, height)

    # Measures

    async def processes(self, container_id: ContainerId, arguments: str | None) -> Processes:
        async with self.call("processes", container_id):
            self._running(container_id, "list its processes")
            if arguments is not None and not set(arguments) <= set("-eflauxwwo pid,args"):
                raise errors.Invalid(f"ps does not take {arguments!r} for a container.")
            kept = self._kept[container_id]
            commands = [" ".join(each) for each in (kept.seen.command, *kept.launched)]
            return Processes(
                titles=("PID", "CMD"), rows=tuple((str(at), each) for at, each in enumerate(commands, start=1))
            )

    async def usage(self, container_id: ContainerId) -> Usage:
        async with self.call("usage", container_id):
            self._running(container_id, "be measured")
            reading, limits = next(self._readings), self._kept[container_id].seen.limits or Resources()
            return Usage(
                read_at=float(self._clock()),
                cpu=reading / 4,
                system_cpu=reading * self._capacity.cpu,
                cores=int(self._capacity.cpu),
                memory=_MIB,
                memory_limit=(limits.memory or self._capacity.memory) * _MIB,
                block_read=reading * 4096,
                block_written=reading * 8192,
                received=reading * 100,
                sent=reading * 200,
                processes=1,
            )

    # Archives

    @asynccontextmanager
    async def get_archive(
        self, container_id: ContainerId, path: str
    ) -> AsyncIterator[tuple[PathStat, AsyncIterator[bytes]]]:
        async with self.call("get_archive", container_id):
            found, content = self._files(container_id).pack(path)

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 1000):
                self.present()
                yield content[start : start + 1000]

        yield found, pieces()

    async def put_archive(self, container_id: ContainerId, path: str, pieces: AsyncIterator[bytes]) -> None:
        async with self.call("put_archive", container_id):
            await self._files(container_id).unpack(path, pieces)

    # Commits

    async def commit(self, container_id: ContainerId, repository: str, tag: str) -> ImageFacts:
        reference = Reference.parse(f"{repository}:{tag}")
        async with self.call("commit", container_id):
            if container_id not in self._kept:
                raise errors.Conflict("No image can be made of the container: it is gone from the runtime.")
            images = self._images or FakeImages()
            return images.add(str(reference))

    # What they are made of

    async def _told(self, changes: "asyncio.Queue[ContainerId | None]") -> AsyncIterator[ContainerId]:
        try:
            self.present()
            while (changed := await changes.get()) is not None:
                yield changed
            raise errors.Unavailable("The runtime went away.")
        finally:
            self._watchers.remove(changes)

    def _does(self, command: Sequence[str]) -> Behaviour:
        told = self._behaviours.get(tuple(command))
        if told is not None:
            return told
        match tuple(command):
            case ("echo", *words):
                return Behaviour(exit_code=0, stdout=" ".join(words).encode() + b"\n")
            case (first, *_):
                return BEHAVIOURS.get(first, Behaviour())
            case _:
                return Behaviour()

    def _program(self, container: Container) -> Program:
        def said(content: bytes, aside: bool) -> None:  # noqa: FBT001 - it is called by one place alone
            kept, at = self._kept[container.id], float(self._clock())
            kept.lines += [_Line(at, aside, line) for line in content.splitlines(keepends=True)]
            kept.change()

        return Program(
            (*(container.entrypoint or ()), *(container.command or ())),
            terminal=container.tty,
            stdin=container.interactive,
            said=said,
            ended=lambda code: self.end(container.id, code),
        )

    def _bury(self, container_id: ContainerId) -> None:
        kept = self._kept.get(container_id)
        if kept is not None and kept.seen.pid is not None:
            self.gone.add(kept.seen.pid)

    def _entered(self, container_id: ContainerId) -> Sequence[Program]:
        return [program for (each, _), program in self.entered.items() if each == container_id]

    def _files(self, container_id: ContainerId) -> Files:
        if container_id not in self._kept:
            raise errors.Conflict("Files cannot be moved: the container is gone from the runtime.")
        return self._kept[container_id].files

    def _stage(self, container_id: ContainerId) -> Stage:
        kept = self._kept.get(container_id)
        return kept.seen.stage if kept else Stage.ABSENT

    def _lives(self, container_id: ContainerId) -> bool:
        return self._stage(container_id) in (Stage.RUNNING, Stage.PAUSED)

    def _running(self, container_id: ContainerId, what: str) -> None:
        if not self._lives(container_id):
            raise errors.Conflict(f"The container cannot {what}: it does not run.")

    def _change(self, container_id: ContainerId, **changes: object) -> None:
        kept = self._kept[container_id]
        kept.seen = replace(kept.seen, **changes)  # type: ignore[arg-type]
        kept.change()
        self._tell(container_id)

    def _tell(self, container_id: ContainerId) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(container_id)


_SIGNALS = frozenset(
    ("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGSTOP", "SIGCONT", "SIGWINCH")
)


def _made(origin: Origin, container: Container, image: str, hostname: str | None) -> Observation:
    return Observation(
        container_id=container.id,
        capsule_id=origin.capsule_id,
        epoch=origin.epoch,
        restarts=origin.restarts,
        rebuilds=origin.rebuilds,
        stage=Stage.CREATED,
        image=image,
        hostname=hostname or container.id[:12],
        command=tuple(container.command or ()),
        entrypoint=tuple(container.entrypoint or ()),
        limits=replace(container.limits, disk=0),
    )
