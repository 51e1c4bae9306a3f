"""What a measurement leaves behind: a table to read, and JSON to compare."""

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What it was measured on; figures from two machines are not to be compared."""

    cores: int
    processor: str
    memory_mib: int
    kernel: str
    docker: str
    storage: str
    python: str
    flush_ms: float
    """How long the disk takes to make a few bytes durable, at the median."""
    load: float
    """What else went on in the last minute, as the kernel counts it."""

    def sentence(self) -> str:
        return (
            f"{self.cores} cores of {self.processor}, {self.memory_mib} MiB, Linux {self.kernel}, Docker {self.docker} ({self.storage}), "
            f"Python {self.python}; a flush to disk takes {self.flush_ms:.1f} ms; load at the start {self.load:.2f}"
        )


async def machine(engine: Engine) -> Machine:
    told = await engine.version()
    return Machine(
        cores=told.cores,
        processor=_processor(),
        memory_mib=told.memory >> 20,
        kernel=told.kernel,
        docker=told.release,
        storage=told.storage,
        python=platform.python_version(),
        flush_ms=_flush(),
        load=os.getloadavg()[0],
    )


def machine_alone() -> Machine:
    """The same where no container is made."""
    return Machine(
        cores=os.cpu_count() or 1,
        processor=_processor(),
        memory_mib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        kernel=platform.release(),
        docker="not needed",
        storage="none",
        python=platform.python_version(),
        flush_ms=_flush(),
        load=os.getloadavg()[0],
    )


def show(title: str, where: Machine, head: Sequence[str], rows: Sequence[Sequence[str]], remark: str = "") -> None:
    """On standard output; as wide as it has to be where that is no terminal."""
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    table = Table(title=title, title_justify="left")
    for name in head:
        table.add_column(name, justify="left" if name == head[0] else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(where.sentence())
    if remark:
        console.print(remark)


def keep(path: Path | None, kind: str, where: Machine, measured: Mapping[str, Any]) -> None:
    """Write it down as JSON, if somewhere was named."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    path.write_text(json.dumps({"kind": kind, "when": when, "machine": asdict(where), **measured}, indent=1) + "\n")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _flush() -> float:
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(50):
            file.write(b"x" * 512)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
