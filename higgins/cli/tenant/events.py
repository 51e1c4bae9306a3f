"""`higgins events`: what happens, as it happens."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from higgins.cli import plain, table, trouble
from higgins.cli.tenant import moments, output, session, yamls
from higgins.client import events as stream
from higgins.client.cloud import Cloud, Document

_KEYS = ("container", "kind", "status")
_COLOURS = {"Running": "green", "Error": "red", "Unknown": "red"}


@click.command()
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
@click.option("--no-stream", is_flag=True, help="Only what has happened, not what happens.")
@click.option("--all-projects", is_flag=True, help="Of every project; for administrators.")
@click.option(
    "-o",
    "--output",
    "output_as",
    type=click.Choice(["table", "json", "yaml", "name"]),
    default="table",
    help="How it is shown.  [default: table]",
)
def events(
    *, since: str | None, filters: Sequence[str], no_stream: bool, all_projects: bool, output_as: str
) -> None:  # fmt: skip
    """Watch what happens, from now on or from an earlier moment."""
    query: dict[str, Any] = {"all_projects": all_projects or None}
    for each in filters:
        key, _, value = each.partition("=")
        if key not in _KEYS or not value:
            raise click.UsageError(f"--filter {each}: it is KEY=VALUE with a key of {', '.join(_KEYS)}.")
        query.setdefault(key, []).append(value.capitalize() if key == "status" else value)
    cloud = session.cloud()
    try:
        for event in _told(cloud, query, since, go_on=not no_stream):
            _show(event, output_as)
    except KeyboardInterrupt:
        return


def _told(cloud: Cloud, query: Mapping[str, Any], since: str | None, *, go_on: bool) -> Iterator[Document]:
    place: int | None = None
    if since is not None and since.startswith("#"):
        place = int(since[1:]) if since[1:].isdigit() else 0
        since = None if go_on else "0"
    if since is not None or not go_on:
        with trouble.usage():
            begin = moments.moment(since or "0", cloud.now)
        page = {"events": [], "next": place or 0}
        while page["next"] is not None:
            page = cloud.get("/events", {**query, "since": page["next"], "limit": 1000})
            for event in page["events"]:
                place = event["id"]
                if (moments.read(event["at"]) or 0) >= begin:
                    yield event
    if go_on:
        yield from stream.follow(cloud, {**query, "since": place})


def _show(event: Document, output_as: str) -> None:
    match output_as:
        case "json":
            click.echo(output.document(event, indent=None))
        case "yaml":
            click.echo("---\n" + yamls.written(event), nl=False)
        case "name":
            click.echo(plain.line(str(event.get("name", ""))))
        case _:
            click.echo(line(event), color=True)


def line(event: Document) -> str:
    """One line on one event."""
    if event["kind"] == "lost":
        return "... what came before has been forgotten"
    at = moments.clock(moments.read(event["at"]) or 0.0)
    words = [plain.line(str(event["name"])), _what(event)]
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
