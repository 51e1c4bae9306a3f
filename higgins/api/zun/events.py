"""What changed, as a page or as a stream of server-sent events that can be taken up again where it broke off."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from higgins.api.zun import forms, values
from higgins.api.zun.forms import Form, Several
from higgins.api.zun.verbs import Answer, Ask, Door, Stream
from higgins.logic.statusword import Status
from higgins.model import event as model
from higgins.model.event import Filter, Stretch

SERVER_SENT = "text/event-stream"
_RESUMED = "Last-Event-ID"

_encode = msgspec.json.Encoder().encode


class ListEvents(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which events, and after which number."""

    container: Several | None = None
    kind: Several | None = None
    status: Several | None = None
    since: values.Count | None = None
    limit: values.Limit | None = None
    all_projects: values.AnyTruth | None = None


class Event(Struct, kw_only=True):
    """One change of one container."""

    id: int
    at: str
    project_id: str
    container_uuid: str
    name: str
    kind: str
    verb: str | None
    status: str | None
    reason: str | None
    exit_code: int | None


class EventPage(Struct, kw_only=True):
    """A page of events, the oldest first."""

    events: list[Event]
    next: int | None
    """What `since` has to be for the page that follows, if one does already."""
    lost: bool
    """Between `since` and the first of these there were others that have been forgotten."""


LIST = Form(params=ListEvents)


async def list_(door: Door, ask: Ask[ListEvents]) -> Answer | Stream:
    """What changed: a page of it, or with `Accept: text/event-stream` all of it from `since`, `Last-Event-ID` or now on, as it happens."""
    asked = ask.params
    wanted = Filter(
        containers=_several(asked.container),
        kinds=_known("kind", asked.kind, model.KINDS),
        statuses=_known("status", asked.status, [*Status]),
    )
    since = None if asked.since is None else int(asked.since)
    every = bool(asked.all_projects)
    if SERVER_SENT in ask.headers.get("Accept", ""):
        story = door.services.events.follow(ask.caller, wanted, since=_resumed(ask, since), all_projects=every)
        return Stream(
            pieces=_sent(story),
            content_type=SERVER_SENT,
            # Proxies must not hold it back, and nobody must keep it.
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            lasting=True,
        )
    most = min(door.max_limit, asked.limit or door.max_limit)
    found = await door.services.events.page(ask.caller, wanted, since=since or 0, most=most, all_projects=every)
    page = EventPage(events=_shown(found), next=found.upto if found.more else None, lost=found.lost)
    return Answer(_encode(page))


def _several(value: str | list[str] | None) -> Sequence[str]:
    return () if value is None else (value,) if isinstance(value, str) else value


def _known(name: str, value: str | list[str] | None, words: Sequence[str]) -> Sequence[str]:
    """A word that there is not would be waited for in vain."""
    asked = _several(value)
    for word in asked:
        if word not in words:
            raise forms.invalid(name, f"It must be one of {', '.join(words)}.", value=word)
    return asked


def _resumed(ask: Ask[ListEvents], since: int | None) -> int | None:
    """A client that comes again sends the address of its first time, and in a header how far it got."""
    said = ask.headers.get(_RESUMED, "").strip()
    if not said:
        return since
    if not (said.isascii() and said.isdigit() and len(said) < 19):
        raise forms.invalid(_RESUMED, "It must be the id of an event.", value=said)
    return int(said)


async def _sent(story: AsyncGenerator[Stretch, None]) -> AsyncGenerator[bytes, None]:
    """In the form of the HTML standard, section 9.2. An `id` alone only moves the place where the stream would be taken up again."""
    async with aclosing(story):
        async for stretch in story:
            blocks = [b'event: lost\ndata: {"kind":"lost"}\n\n'] if stretch.lost else []
            blocks += [
                b"id: %d\nevent: %s\ndata: %s\n\n" % (shown.id, shown.kind.encode(), _encode(shown))
                for shown in _shown(stretch)
            ]
            yield b"".join(blocks) or b": nothing new\nid: %d\n\n" % stretch.upto


def _shown(stretch: Stretch) -> list[Event]:
    return [
        Event(
            id=one.number,
            at=datetime.fromtimestamp(one.at, UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
            project_id=one.project_id,
            container_uuid=one.capsule_id,
            name=one.name,
            kind=one.kind,
            verb=one.verb,
            status=one.status,
            reason=one.reason,
            exit_code=one.exit_code,
        )
        for one in stretch.events
    ]
