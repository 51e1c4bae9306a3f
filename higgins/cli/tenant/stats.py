"""`higgins stats` and `top`: what containers use, and what runs in them."""

import sys
import threading
import time
from collections.abc import Callable, Sequence

import click

from higgins import errors
from higgins.cli import table, trouble
from higgins.cli.table import Cell
from higgins.cli.tenant import completion, examples, names, output, session, sizes
from higgins.client.cloud import Cloud, Document, path

TITLES = ("id", "name", "cpu", "memory", "limit", "mem", "net in", "net out", "read", "written", "pids")
_SPARE = ("limit", "id", "pids", "written", "read", "mem", "net out", "net in")
_EVERY = 1.0
_AT_ONCE = 8
Reading = Document | errors.Failure | None
"""None: not looked yet."""


@click.command(epilog=examples.of("higgins stats", "higgins stats --no-stream -o json web"))
@click.option("-a", "--all", "everything", is_flag=True, help="Those too that do not run.")
@click.option("--no-stream", is_flag=True, help="Look once.")
@click.option("--no-trunc", is_flag=True, help="Shorten nothing.")
@output.option()
@click.argument("containers", metavar="[CONTAINER]...", nargs=-1, shell_complete=completion.containers)
def stats(containers: Sequence[str], *, everything: bool, no_stream: bool, no_trunc: bool, output_as: str) -> None:
    """Watch what containers use, until Ctrl-C; all that run, if none is named. 100 % of CPU is one core."""
    cloud = session.cloud()
    if output_as != "table" or no_stream:
        found = _looked(cloud, _chosen(cloud, containers, everything=everything))
        if output_as == "table":
            _print(found, whole=no_trunc)
        else:
            output.many(
                output_as,
                [told for _, told in found if isinstance(told, dict)],
                (),
                lambda _: (),
                name=lambda one: str(one["CONTAINER"]),
            )
        _complain(containers, found)
        return
    _live(cloud, containers, everything=everything, whole=no_trunc)


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog=examples.of("higgins top web", "higgins top web -o pid,args"),
)
@click.argument("container", shell_complete=completion.containers)
@click.argument("ps_options", nargs=-1)
@click.option(
    "-o", "--output", "shape", default="table", help=f"How it is shown: {', '.join(output.FORMS)}; else a word to `ps`."
)
def top(container: str, ps_options: Sequence[str], shape: str) -> None:
    """Show the processes of a container, as `ps` with these options does: `higgins top web -o pid,args`."""
    output_as, columns = (shape, ()) if shape in output.FORMS else ("table", ("-o", shape))
    cloud = session.cloud()
    query = {"ps_args": " ".join((*ps_options, *columns)) or None}
    found = names.act(cloud, container, lambda name: cloud.get(path("containers", name, "top"), query))
    titles: list[str] = found["Titles"]
    if output_as == "table":
        table.show(titles, found["Processes"])
    else:
        rows = [dict(zip(titles, row, strict=False)) for row in found["Processes"]]
        output.many(output_as, rows, (), lambda _: (), name=lambda one: str(one.get("PID") or one.get("CMD")))


def _chosen(cloud: Cloud, given: Sequence[str], *, everything: bool) -> Sequence[Document]:
    if given:
        return [names.act(cloud, each, lambda name: cloud.get(path("containers", name))) for each in given]
    query = {} if everything else {"status": "Running"}
    return list(cloud.pages("/containers", "containers", {**query, "sort_key": "created_at"}))


def _looked(cloud: Cloud, chosen: Sequence[Document]) -> Sequence[tuple[Document, Reading]]:
    """All at the same time: a host takes a moment to find out a rate."""

    def look(one: Document) -> Reading:
        if one["status"] != "Running":
            return errors.Conflict(f"{one['name']} does not run: it is {one['status']}")
        try:
            found: Document = cloud.apart().get(path("containers", one["uuid"], "stats"))
        except errors.Failure as failure:
            return failure
        return found

    return list(zip(chosen, _at_once(look, chosen), strict=True))


def _at_once(look: Callable[[Document], Reading], chosen: Sequence[Document]) -> Sequence[Reading]:
    """A few at a time, by threads that nobody waits for who interrupts this."""
    left = iter(list(enumerate(chosen)))
    readings: list[Reading] = [None] * len(chosen)

    def work() -> None:
        # An iterator over a list gives each of its items to one thread only.
        for place, one in left:
            readings[place] = look(one)

    threads = [threading.Thread(target=work, daemon=True) for _ in chosen[:_AT_ONCE]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return readings


def _live(cloud: Cloud, containers: Sequence[str], *, everything: bool, whole: bool) -> None:
    """In place on a terminal; one table after the other elsewhere."""
    in_place = sys.stdout.isatty()
    if in_place:
        # A first look takes as long as a rate needs.
        sys.stdout.write("\x1b[2J")
        _paint([(one, None) for one in _chosen(cloud, containers, everything=everything)], whole=whole)
    while True:
        began = time.monotonic()
        found = _looked(cloud, _chosen(cloud, containers, everything=everything))
        if in_place:
            _paint(found, whole=whole)
        else:
            _print(found, whole=whole)
        if containers and all(isinstance(told, errors.Failure) for _, told in found):
            _complain(containers, found)
            return
        time.sleep(max(0.0, _EVERY - (time.monotonic() - began)))


def _paint(found: Sequence[tuple[Document, Reading]], *, whole: bool) -> None:
    """Over what was there before."""
    room = None if whole else table.terminal_width()
    lines = table.lines(TITLES, [_row(one, told) for one, told in found], room=room, spare=_SPARE)
    shown = "".join(f"{line}\x1b[K\n" for line in lines[: _height() - 1])
    sys.stdout.write(f"\x1b[H{shown}\x1b[J")
    sys.stdout.flush()


def _height() -> int:
    return max(2, table.terminal_height() or 24)


def _print(found: Sequence[tuple[Document, Reading]], *, whole: bool) -> None:
    table.show(TITLES, [_row(one, told) for one, told in found], whole=whole, spare=_SPARE)
    sys.stdout.flush()


def _complain(containers: Sequence[str], found: Sequence[tuple[Document, Reading]]) -> None:
    """What was asked for by name and cannot be told is a failure."""
    failures = [told for _, told in found if isinstance(told, errors.Failure)]
    for failure in failures if containers else ():
        trouble.tell(failure)
    if failures and containers:
        sys.exit(1)


def _row(one: Document, told: Reading) -> Sequence[Cell]:
    start = (names.short(one), str(one["name"]))
    if told is None or isinstance(told, errors.Failure):
        return (*start, *("-" for _ in TITLES[2:]))
    return (
        *start,
        f"{told['CPU %']:.1f}%",
        sizes.binary(told.get("memory_bytes", told["MEM USAGE(MiB)"] * 2**20)),
        sizes.binary(told.get("memory_limit_bytes", told["MEM LIMIT(MiB)"] * 2**20)),
        f"{told['MEM %']:.1f}%",
        *(sizes.decimal(float(each)) for each in told["NET I/O(B)"].split("/")),
        *(sizes.decimal(float(each)) for each in told["BLOCK I/O(B)"].split("/")),
        str(told.get("pids", "")),
    )
