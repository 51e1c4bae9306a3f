"""Server-sent events, as the HTML standard has them, taken up again where the stream broke off."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from higgins import errors
from higgins.client.cloud import Cloud, Query
from higgins.client.connection import Lost

SILENCE = 90.0
"""Seconds without even a heartbeat, after which the server is taken to be gone."""
_PAUSES = (0.2, 0.5, 1.0, *(2.0,) * 15)
"""Seconds between the tries to reach a server that has gone: half a minute, in which one starts again."""


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two empty lines."""

    id: str | None
    data: str | None
    """None where it is only a sign of life."""


def follow(cloud: Cloud, query: Query) -> Iterator[Mapping[str, Any]]:
    """Every event as it happens; none is lost or doubled while the server comes and goes.

    Raises Unavailable if it stays away, or was not there to begin with.
    """
    place = query.get("since")
    pauses: Iterator[float] = iter(())
    while True:
        try:
            stream = cloud.stream("/events", {**query, "since": place}, accept="text/event-stream", patience=SILENCE)
            try:
                for block in blocks(stream):
                    pauses = iter(_PAUSES)
                    place = block.id or place
                    if block.data is not None:
                        yield json.loads(block.data)
            finally:
                stream.close()
            ended: errors.Unavailable = Lost("the stream of events ended")
        except errors.Unavailable as broken:
            ended = broken
        if (pause := next(pauses, None)) is None:
            raise ended
        time.sleep(pause)


def blocks(pieces: Iterable[bytes]) -> Iterator[Block]:
    """One after the other; one that is not whole at the end is left out."""
    left, number, data = b"", None, []
    for piece in pieces:
        *lines, left = (left + piece).split(b"\n")
        for line in lines:
            field, _, value = line.removesuffix(b"\r").decode(errors="replace").partition(":")
            match field:
                case "id":
                    number = value.removeprefix(" ")
                case "data":
                    data.append(value.removeprefix(" "))
                case "" if not value:
                    yield Block(number, "\n".join(data) if data else None)
                    number, data = None, []
