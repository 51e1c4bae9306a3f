"""What containers on a Docker Engine do and use."""

import asyncio
import re
from datetime import datetime

import aiodocker
from msgspec import Struct, field

from higgins import errors
from higgins.drivers import documents, lost
from higgins.drivers.engine import Engine, Parameters
from higgins.drivers.runtimes.docker import terms
from higgins.drivers.runtimes.docker.terms import name
from higgins.model.ids import ContainerId
from higgins.model.live import Processes, Usage

_SECOND = 1e9
"""In nanoseconds."""
_ARGUMENTS = re.compile(r" *((-?[A-LNP-Ya-np-z]+|-?[A-LNP-Ya-np-z]*o *pid(,[a-z_]+(:[0-9]+)?)*)( +|$))*")
"""The engine runs `ps` on the host, and shows those rows that have a number of the container's processes where the column PID should be. So nobody may
give another column that title (`-o rss=PID`), or put something in front of it that may be several words (`args`, or the security label of Z and M):
then processes of the host and of others would be shown."""
_INACTIVE = ("total_inactive_file", "inactive_file")
"""What the kernel keeps of files and can drop, in control groups of the first and of the second version."""


class DockerMeasures:
    """Reads the engine's measurements."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def processes(self, container_id: ContainerId, arguments: str | None) -> Processes:
        """As `Measures` promises."""
        if arguments is not None and not _ARGUMENTS.fullmatch(arguments):
            raise errors.Invalid(
                f"ps does not take {arguments!r} for a container: only options of letters, and columns of one's own as -o pid,..., pid being the first."
            )
        parameters: Parameters = {} if arguments is None else {"ps_args": arguments}
        try:
            table = await self._engine.read(f"containers/{name(container_id)}/top", _Table, parameters)
        except aiodocker.DockerError as error:
            if error.status in (404, 409):
                raise errors.Conflict("The container has no processes: it does not run.") from error
            if arguments is not None and error.status in (400, 500):
                raise errors.Invalid(f"ps does not take {arguments!r} for a container: {error.message}") from error
            raise await terms.sorted_by_remedy(self._engine, error, "list the processes") from error
        return Processes(titles=tuple(table.titles), rows=tuple(map(tuple, table.rows or ())))

    async def usage(self, container_id: ContainerId) -> Usage:
        """As `Measures` promises."""
        parameters: Parameters = {"stream": False, "one-shot": True}
        try:
            told = await self._engine.read(f"containers/{name(container_id)}/stats", _Stats, parameters)
        except aiodocker.DockerError as error:
            if error.status in (404, 409):
                raise errors.Conflict("The container uses nothing: it does not run.") from error
            raise await terms.sorted_by_remedy(self._engine, error, "measure the container") from error
        # Of what does not run the engine tells nothing, without saying so.
        if not told.cpu.system:
            raise errors.Conflict("The container uses nothing: it does not run.")
        # Of what was plugged in without the engine's knowledge it tells nothing.
        received, sent = told.traffic if told.networks else await self._traffic(container_id)
        blocks = told.blocks.served or ()
        return Usage(
            read_at=datetime.fromisoformat(told.read).timestamp(),
            cpu=told.cpu.used.total / _SECOND,
            system_cpu=told.cpu.system / _SECOND,
            cores=told.cpu.cores or len(told.cpu.used.each or ()),
            memory=told.memory.used,
            memory_limit=told.memory.limit,
            block_read=sum(each.value for each in blocks if each.kind.lower() == "read"),
            block_written=sum(each.value for each in blocks if each.kind.lower() == "write"),
            received=received,
            sent=sent,
            processes=told.processes.current,
        )

    async def _traffic(self, container_id: ContainerId) -> tuple[int, int]:
        """What the kernel counts in the container's network; nothing where the engine is on another machine."""
        try:
            found = await self._engine.read(f"containers/{name(container_id)}/json", documents.Inspected)
        except aiodocker.DockerError:
            return 0, 0  # It is gone by now.
        return await asyncio.to_thread(lost.traffic, found.id, found.state.process) if found.state.process else (0, 0)


class _Table(Struct, frozen=True):
    titles: list[str] = field(name="Titles")
    rows: list[list[str]] | None = field(name="Processes", default=None)


class _Used(Struct, frozen=True):
    total: int = field(name="total_usage", default=0)
    each: list[int] | None = field(name="percpu_usage", default=None)


class _Cpu(Struct, frozen=True):
    used: _Used = field(name="cpu_usage", default_factory=_Used)
    system: int = field(name="system_cpu_usage", default=0)
    cores: int = field(name="online_cpus", default=0)


class _Memory(Struct, frozen=True):
    usage: int = 0
    limit: int = 0
    stats: dict[str, int] | None = None

    @property
    def used(self) -> int:
        """Without what can be dropped."""
        kept = self.stats or {}
        return max(0, self.usage - next((kept[each] for each in _INACTIVE if each in kept), 0))


class _Network(Struct, frozen=True):
    received: int = field(name="rx_bytes", default=0)
    sent: int = field(name="tx_bytes", default=0)


class _Block(Struct, frozen=True):
    kind: str = field(name="op", default="")
    value: int = 0


class _Blocks(Struct, frozen=True):
    served: list[_Block] | None = field(name="io_service_bytes_recursive", default=None)


class _Counted(Struct, frozen=True):
    current: int = 0


class _Stats(Struct, frozen=True):
    read: str
    cpu: _Cpu = field(name="cpu_stats", default_factory=_Cpu)
    memory: _Memory = field(name="memory_stats", default_factory=_Memory)
    networks: dict[str, _Network] | None = None
    blocks: _Blocks = field(name="blkio_stats", default_factory=_Blocks)
    processes: _Counted = field(name="pids_stats", default_factory=_Counted)

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes received and sent."""
        networks = (self.networks or {}).values()
        return sum(each.received for each in networks), sum(each.sent for each in networks)
