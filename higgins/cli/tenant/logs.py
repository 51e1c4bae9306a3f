"""`higgins logs`."""

import json
import sys
from collections.abc import Iterable, Iterator

import click

from higgins import errors
from higgins.cli import trouble
from higgins.cli.tenant import completion, examples, moments, names, session
from higgins.client.cloud import Stream, path

_DAY = 86400.0


@click.command(epilog=examples.of("higgins logs --tail 20 web", "higgins logs -f --since 10m web"))
@click.option("-f", "--follow", is_flag=True, help="Go on with what it prints from now on, until it ends.")
@click.option("-n", "--tail", metavar="N", help="Only so many lines from the end, or all.")
@click.option("--since", metavar="WHEN", help="Only what came after 10m (ago), or 2026-11-21T13:00.")
@click.option("-t", "--timestamps", is_flag=True, help="With the time in front of each line.")
@click.argument("container", shell_complete=completion.containers)
def logs(container: str, *, follow: bool, tail: str | None, since: str | None, timestamps: bool) -> None:
    """Show what a container has printed."""
    if tail not in (None, "all") and not tail.isdigit():
        raise click.UsageError(f"--tail {tail}: it is a number of lines, or all.")
    cloud = session.cloud()
    with trouble.usage():
        begin = None if since is None else int(moments.moment(since, cloud.now))
    query = {
        "timestamps": timestamps or None,
        "tail": None if tail == "all" else tail,
        "since": begin,
        "follow": follow or None,
    }

    def ask(name: str) -> Stream:
        accept, patience = ("text/plain", _DAY) if follow else ("application/json", 60.0)
        return cloud.stream(path("containers", name, "logs"), query, accept=accept, patience=patience)

    stream = names.act(cloud, container, ask)
    pieces = iter(stream) if stream.headers.get_content_type() == "text/plain" else text(stream)
    try:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    except errors.Unavailable as broken:
        broken.add_note(f"What is missing: higgins logs --since 1m {container}")
        raise
    finally:
        stream.close()


def text(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The characters of one JSON string of any length, as they come. Raises Unavailable if it is none."""
    left, first = b"", True
    for piece in pieces:
        left += piece
        if first and left:
            if left[:1] != b'"':
                raise errors.Unavailable("what came is no log")
            left, first = left[1:], False
        cut = _whole(left)
        if cut:
            yield _unescaped(left[:cut])
            left = left[cut:]
    if left[-1:] != b'"':
        raise errors.Unavailable("the log broke off")
    yield _unescaped(left[:-1])


def _whole(text: bytes) -> int:
    """How much of it can be read by itself: no character and no escape is cut, nor the quotation mark at the end taken."""
    end = len(text)
    # An escape has six bytes at most, a pair of them twelve; a character four.
    for cut in range(end, max(-1, end - 13), -1):
        try:
            _unescaped(text[:cut])
        except ValueError:
            continue
        if not _ends_in_half_a_pair(text[:cut]):
            return cut
    return 0


def _ends_in_half_a_pair(text: bytes) -> bool:
    half = text[-6:]
    return half[:3].lower() in (b"\\ud",) and half[3:4].lower() in b"89ab"


def _unescaped(text: bytes) -> bytes:
    found: str = json.loads(b'"' + text + b'"')
    return found.encode("utf-8", "replace")
