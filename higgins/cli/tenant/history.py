"""`higgins history`: what was asked of a container, and each step of it."""

from collections.abc import Sequence
from typing import Any

import click

from higgins.cli import table
from higgins.cli.table import Cell, Coloured
from higgins.cli.tenant import completion, examples, moments, names, output, session
from higgins.client.cloud import Document, path

_TITLES = ("when", "what", "took", "result", "")


@click.command(epilog=examples.of("higgins history web", "higgins history -n 1 -o yaml web"))
@click.option(
    "-n", "--last", type=click.IntRange(min=1), default=10, show_default=True, help="So many requests, the newest."
)
@click.option("--no-trunc", is_flag=True, help="Shorten nothing.")
@output.option()
@click.argument("container", shell_complete=completion.containers)
def history(container: str, *, last: int, no_trunc: bool, output_as: str) -> None:
    """Show what was asked of a container, the oldest first, and the steps that were taken."""
    cloud = session.cloud()

    def told(name: str) -> list[Document]:
        every = cloud.get(path("containers", name, "container_actions"))["containerActions"]
        return [
            cloud.get(path("containers", name, "container_actions", one["request_id"])) for one in every[:last][::-1]
        ]

    found = names.act(cloud, container, told)
    if output_as != "table":
        output.many(output_as, found, (), lambda _: (), name=lambda one: str(one["action"]))
        return
    now = cloud.now
    rows = [row for action in found for row in _rows(action, now)]
    table.show(_TITLES, rows, whole=no_trunc)


def _rows(action: Document, now: float) -> Sequence[Sequence[Cell]]:
    # The API has the newest step first; people read a story from its beginning.
    steps = (action.get("events") or [])[::-1]
    alone = len(steps) == 1 and steps[0]["event"].removeprefix("compute__do_container_") == action["action"]
    said = (steps[0].get("message") or steps[0].get("traceback") or "") if alone else ""
    first = _row(action, f"{action['action']}", _ending(action, steps), said, now, action.get("deadline"))
    return [first, *(() if alone else (_step(step, now) for step in steps))]


def _step(step: Document, now: float) -> Sequence[Cell]:
    name = step["event"].removeprefix("compute__do_container_")
    return _row(step, f"  {name}", step["result"], step.get("message") or step.get("traceback") or "", now, None)


def _row(one: Document, what: str, result: str | None, said: str, now: float, deadline: str | None) -> Sequence[Cell]:
    began, ended = moments.read(one["start_time"]) or now, moments.read(one["finish_time"])
    if ended is None and deadline and not said:
        said = f"until {moments.clock(moments.read(deadline) or now)} at the latest"
    return (moments.clock(began), what, moments.took((ended or now) - began), _result(result, ended), said)


def _ending(action: Document, steps: Sequence[Any]) -> str | None:
    if action["finish_time"] is None:
        return None
    return "Error" if action["message"] else "Success"


def _result(result: str | None, ended: float | None) -> Cell:
    match result:
        case "Success":
            return Coloured("done", "green")
        case None:
            return Coloured("under way", "yellow") if ended is None else ""
        case word:
            return Coloured(word.lower(), "red")
