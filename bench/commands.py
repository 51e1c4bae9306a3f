"""How long a command takes from its start to its end, as a person waits for it: `higgins` beside `docker`, `zun` and `openstack`, in turn."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from bench import figures, options, report, running
from bench.engine import COMMAND, IMAGE, LABEL
from bench.running import PASSWORD, Running, Trouble

AIM = 150.0
"""Milliseconds from the start of the process, for its help and a list, on a quiet machine."""
BIN = Path(sys.executable).parent
_WARM = 1
_FLOOR = "python"
_OURS = "higgins"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that somebody wants, and what is typed for it with each tool; `{n}` is another number each time."""

    title: str
    typed: Mapping[str, str]
    undo: Mapping[str, str] = field(default_factory=dict)
    aim: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process took, in milliseconds."""

    wall: float
    cpu: float


_MADE = f"{IMAGE} {shlex.join(COMMAND)}"
_MINE = f"label={LABEL}=commands"
CASES = (
    Case(
        title="--help",
        typed={_OURS: "--help", "docker": "--help", "zun": "help", "openstack": "help appcontainer list"},
        aim=AIM,
    ),
    Case(
        title="ps",
        typed={_OURS: "ps", "docker": f"ps --filter {_MINE}", "zun": "list", "openstack": "appcontainer list"},
        aim=AIM,
    ),
    Case(
        title="inspect",
        typed={
            _OURS: "inspect timed",
            "docker": "inspect {mark}",
            "zun": "show timed",
            "openstack": "appcontainer show timed",
        },
    ),
    Case(
        title="images",
        typed={
            _OURS: "images",
            "docker": f"images {IMAGE}",
            "zun": "image-list",
            "openstack": "appcontainer image list",
        },
    ),
    Case(
        title="logs",
        typed={
            _OURS: "logs timed",
            "docker": "logs {mark}",
            "zun": "logs timed",
            "openstack": "appcontainer logs timed",
        },
    ),
    Case(
        title="top",
        # Those of the others end with an error of their own, whatever they are answered.
        typed={_OURS: "top timed", "docker": "top {mark}"},
    ),
    Case(
        title="exec true",
        typed={
            _OURS: "exec timed true",
            "docker": "exec {mark} true",
            "zun": "exec timed true",
            "openstack": "appcontainer exec timed true",
        },
    ),
    Case(
        title="cp of a small file",
        typed={
            _OURS: "cp timed:/etc/passwd {here}",
            "docker": "cp {mark}:/etc/passwd {here}",
            "zun": "cp timed:/etc/passwd {here}",
            "openstack": "appcontainer cp timed:/etc/passwd {here}",
        },
    ),
    Case(
        title="run -d",
        typed={
            _OURS: f"run -d --name run{{n}} {_MADE}",
            "docker": f"run -d --label {_MINE.removeprefix('label=')} --name {{mark}}-{{n}} {_MADE}",
        },
        undo={_OURS: "rm -f run{n}", "docker": "rm -f {mark}-{n}"},
    ),
)


@click.command()
@click.option("--rounds", default=10, show_default=True, help="Times that each command is run.")
@options.socket
@click.option(
    "--without", multiple=True, metavar="TOOL", help="Leave a tool out: docker, zun or openstack; may be repeated."
)
@options.kept
def main(rounds: int, socket: str, without: Sequence[str], kept: Path | None) -> None:
    """Time whole processes, each tool in turn, and the start of a Python that does nothing as the floor."""
    running.command(_measure(rounds, socket, without, kept))


async def _measure(rounds: int, socket: str, without: Sequence[str], kept: Path | None) -> None:
    tools = {name: path for name, path in _tools().items() if name not in without}
    async with running.prepared(socket) as (engine, where):
        try:
            async with running.higgins(engine) as service:
                with _settled(service, socket, tools) as words:
                    taken = {
                        case.title: _turns(case, rounds, tools, words, _environment(service, socket, words))
                        for case in CASES
                    }
        finally:
            await engine.clear(f"{LABEL}=commands")
    report.show(
        f"From the start of a process to its end, {rounds} rounds in turn: milliseconds, median; ratios over pairs",
        where,
        [
            "",
            _OURS,
            "its CPU",
            "floor",
            "its CPU",
            "higgins / floor",
            "docker",
            "zun",
            "zun / higgins",
            "openstack",
            "openstack / higgins",
            "aim",
        ],
        [_row(case, taken[case.title]) for case in CASES],
        "The floor is a Python that does nothing. `run -d` ends when the container runs; Zun's does not wait, and is left out.",
    )
    values = {
        title: {tool: [[run.wall, run.cpu] for run in runs] for tool, runs in each.items()}
        for title, each in taken.items()
    }
    report.keep(kept, "commands", where, {"aim": AIM, "wall_and_cpu_milliseconds": values})


def _tools() -> Mapping[str, str]:
    """Those that are there. Raises Trouble without `higgins` itself."""
    if not (BIN / _OURS).exists():
        raise Trouble(f"there is no {BIN / _OURS}: ./quickstart or ./test makes it")
    found = {_OURS: str(BIN / _OURS), "docker": shutil.which("docker")}
    found |= {name: str(BIN / name) for name in ("zun", "openstack") if (BIN / name).exists()}
    return {name: path for name, path in found.items() if path}


@contextmanager
def _settled(service: Running, socket: str, tools: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """One container on each side, that all tools may look at; what stands for `{...}` in what is typed."""
    with tempfile.TemporaryDirectory(prefix="higgins-bench-home-") as home:
        words = {"mark": f"{service.owner}-docker", "here": home}
        environment = _environment(service, socket, words)
        first = {_OURS: f"run -d --name timed {_MADE}"}
        first["docker"] = f"run -d --label {_MINE.removeprefix('label=')} --name {{mark}} {_MADE}"
        for tool, typed in first.items():
            if tool in tools:
                _run(tools[tool], typed, words, environment)
        yield words


def _environment(service: Running, socket: str, words: Mapping[str, str]) -> Mapping[str, str]:
    """Somebody who is logged in with every tool, and whose home is empty."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "HIGGINS_", "XDG_"))}
    return {
        **kept,
        "HOME": words["here"],
        "DOCKER_HOST": f"unix://{socket}",
        "OS_AUTH_URL": f"{service.url}/identity/v3",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_AUTH_TYPE": "password",
        "OS_USERNAME": "bench",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "bench",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "PYTHONWARNINGS": "ignore",
    }


def _turns(
    case: Case, rounds: int, tools: Mapping[str, str], words: Mapping[str, str], environment: Mapping[str, str]
) -> Mapping[str, Sequence[Run]]:
    """Each tool once, and again: a machine that is slow for a while is slow for all of them."""
    taken: dict[str, list[Run]] = {}
    typed = {_FLOOR: "-c pass", **{tool: each for tool, each in case.typed.items() if tool in tools}}
    programs = {_FLOOR: sys.executable, **tools}
    for number in range(_WARM + rounds):
        numbered = {**words, "n": str(number)}
        for tool, each in typed.items():
            run = _run(programs[tool], each, numbered, environment)
            if number >= _WARM:
                taken.setdefault(tool, []).append(run)
        for tool, each in case.undo.items():
            if tool in tools:
                _run(tools[tool], each, numbered, environment)
    return taken


def _run(program: str, typed: str, words: Mapping[str, str], environment: Mapping[str, str]) -> Run:
    """Raises Trouble if it fails."""
    command = [program, *shlex.split(typed.format(**words))]
    with tempfile.TemporaryFile() as complaints:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            complaints.seek(0)
            raise Trouble(f"{shlex.join(command)}: {complaints.read().decode(errors='replace').strip()[-500:]}")
    return Run(wall=wall * 1000, cpu=(used.ru_utime + used.ru_stime) * 1000)


def _row(case: Case, taken: Mapping[str, Sequence[Run]]) -> Sequence[str]:
    ours = [run.wall for run in taken[_OURS]]
    walls = {tool: [run.wall for run in runs] for tool, runs in taken.items()}
    shown = {tool: f"{figures.of(wall).median:.0f}" for tool, wall in walls.items()}
    cpu = {tool: f"{figures.of([run.cpu for run in runs]).median:.0f}" for tool, runs in taken.items()}
    times = {tool: f"{figures.ratio(wall, ours):.1f}" for tool, wall in walls.items()}
    return (
        case.title,
        shown[_OURS],
        cpu[_OURS],
        shown[_FLOOR],
        cpu[_FLOOR],
        f"{figures.ratio(ours, walls[_FLOOR]):.1f}",
        *(shown.get("docker", ""), shown.get("zun", ""), times.get("zun", "")),
        *(shown.get("openstack", ""), times.get("openstack", "")),
        "" if case.aim is None else f"{case.aim:.0f}",
    )


if __name__ == "__main__":
    main()
