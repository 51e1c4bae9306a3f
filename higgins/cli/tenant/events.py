"""`higgins events`: what happens, as it happens."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any

import click

from higgins import errors
from higgins.cli import plain, table, trouble
from higgins.cli.tenant import examples, moments, output, session, yamls
from higgins.client import events as stream
from higgins.client.cloud import Cloud, Document

_KEYS = ("container", "kind", "status")
_NAME = 20
"""Columns for most names."""
_COLOURS = {"Running": "green", "Error": "red", "Unknown": "red"}


@click.command(epilog=examples.of("higgins events --since 10m --until 5m", "higgins events -f container=web -o json"))
@click.option(
    "--since", metavar="WHEN", help="From 10m (ago) or 2026-11-21T13:00 on, or after the event of this number (#123)."
)
@click.option(
    "-f",
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only those of: container, kind or status; may be repeated.",
)
@click.option(
    "--until", metavar="WHEN", help="Only until then; -10m is in ten minutes. What is over is told from its beginning."
)
@click.option("--no-stream", is_flag=True, help="Only what has happened, not what happens.")
@click.option("--all-projects", is_flag=True, help="Of every project; for administrators.")
@output.option()
def events(
    *,
    since: str | None,
    until: str | None,
    filters: Sequence[str],
    no_stream: bool,
    all_projects: bool,
    output_as: str,
) -> None:
    """Watch what happens, from now on or from an earlier moment."""
    query: dict[str, Any] = {"all_projects": all_projects or None}
    for each in filters:
        key, _, value = each.partition("=")
        if key not in _KEYS or not value:
            raise click.UsageError(f"--filter {each}: it is KEY=VALUE with a key of {', '.join(_KEYS)}.")
        query.setdefault(key, []).append(value.capitalize() if key == "status" else value)
    cloud = session.cloud()
    with trouble.usage():
        number, begin = start(since, cloud.now)
        end = None if until is None else moments.moment(until, cloud.now)
    asked = {**query, "since": number}
    over = no_stream or (end is not None and end <= cloud.now)
    with nullcontext() if over or end is None else _ending(end - cloud.now):
        for event in _happened(cloud, asked) if over else stream.follow(cloud, asked):
            if _within(event, begin, end):
                _show(event, output_as)


def start(since: str | None, now: float) -> tuple[int | None, float | None]:
    """The number after which it begins, None for now; and the moment, where one was named. Raises Invalid."""
    match since:
        case None:
            return None, None
        case _ if since.startswith("#"):
            if not since[1:].isdecimal():
                raise errors.Invalid(f"{since!r} is no number of an event: it looks like #123")
            return int(since[1:]), None
        case _:
            return 0, moments.moment(since, now)


def _within(event: Document, begin: float | None, end: float | None) -> bool:
    if begin is None and end is None:
        return True
    at = moments.read(event.get("at"))
    return at is not None and (begin is None or at >= begin) and (end is None or at <= end)


@contextmanager
def _ending(seconds: float) -> Iterator[None]:
    """The program ends well after so many seconds, whatever it waits for within the block."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _happened(cloud: Cloud, query: Mapping[str, Any]) -> Iterator[Document]:
    number = query["since"] or 0
    while number is not None:
        page = cloud.get("/events", {**query, "since": number, "limit": 1000})
        yield from page["events"]
        number = page["next"]


def _show(event: Document, output_as: str) -> None:
    match output_as:
        case "json":
            click.echo(output.document(event, indent=None))
        case "yaml":
            click.echo("---\n" + yamls.written(event), nl=False)
        case "name":
            if "name" in event:
                click.echo(plain.line(event["name"]))
        case _:
            click.echo(line(event), color=True)


def line(event: Document) -> str:
    """One line on one event."""
    if event["kind"] == "lost":
        return "... what came before has been forgotten"
    at = moments.clock(moments.read(event["at"]) or 0.0)
    # How long the names to come are is not known.
    words = [plain.padded(plain.line(str(event["name"])), _NAME), _what(event)]
    # Whoever asks for a start is not interested in how the last run ended.
    if event["kind"] in ("status", "gone") and event.get("exit_code") is not None:
        words.append(f"exit code {event['exit_code']}")
    if event.get("reason"):
        words.append(plain.line(event["reason"]))
    return f"{at}  {event['container_uuid'][:8]}  {'  '.join(words)}"


def _what(event: Document) -> str:
    match event:
        case {"kind": "status", "status": str(status)}:
            colour = _COLOURS.get(status)
            return click.style(status, fg=colour) if colour and table.has_colours() else status
        case {"kind": "gone"}:
            return "gone"
        case {"verb": str(verb)}:
            return f"asked to {verb.replace('_', ' ')}"
        case _:
            return str(event["kind"])
