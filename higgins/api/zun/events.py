"""What changed, as a page or as a stream of server-sent events that can be taken up again where it broke off."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from higgins.api.zun import form, values
from higgins.api.zun.form import Form
from higgins.api.zun.forms import Several
from higgins.api.zun.values import said
from higgins.api.zun.verbs import Answer, Ask, Door, Stream
from higgins.logic.statusword import Status
from higgins.model import event as model
from higgins.model.event import Filter, Stretch

SERVER_SENT = "text/event-stream"
_RESUMED = "Last-Event-ID"

_encode = msgspec.json.Encoder().encode


Kind = Annotated[str, Meta(extra_json_schema={"enum": list(model.KINDS)})]
Word = Annotated[str, Meta(extra_json_schema={"enum": list(Status)})]


class ListEvents(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which events, and after which number."""

    container: Annotated[
        Several | None,
        said("Only those of this container, by id or name. Repeated: of any of them; so are all filters."),
    ] = None
    kind: Annotated[Kind | list[Kind] | None, said("Only those of this kind.")] = None
    status: Annotated[Word | list[Word] | None, said("Only those after which a container is this.")] = None
    since: Annotated[values.Count | None, said("Only those after this number.")] = None
    limit: Annotated[values.Limit | None, said("How many at most; a deployment may give fewer. Not for a stream.")] = (
        None
    )
    all_projects: Annotated[values.AnyTruth | None, said("Those of all projects. Admins only.")] = None


class Event(Struct, kw_only=True):
    """One change of one container."""

    id: Annotated[int, said("The number; grows, with gaps.")]
    at: Annotated[str, said("When it happened.")]
    project_id: str
    container_uuid: str
    name: Annotated[str, said("What the container was called then.")]
    kind: str
    verb: Annotated[str | None, said("What somebody asked for.")]
    status: Annotated[str | None, said("What the container was after it.")]
    reason: Annotated[str | None, said("Why, where there is something to say.")]
    exit_code: Annotated[int | None, said("Where it ended.")]


class EventPage(Struct, kw_only=True):
    """A page of events, the oldest first."""

    events: list[Event]
    next: Annotated[int | None, said("What since has to be for the page that follows, if one does already.")]
    lost: Annotated[bool, said("Between since and the first of these there were others that have been forgotten.")]


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
            raise form.invalid(name, f"It must be one of {', '.join(words)}.", value=word)
    return asked


def _resumed(ask: Ask[ListEvents], since: int | None) -> int | None:
    """A client that comes again sends the address of its first time, and in a header how far it got."""
    said = ask.headers.get(_RESUMED, "").strip()
    if not said:
        return since
    if not (said.isascii() and said.isdigit() and len(said) < 19):
        raise form.invalid(_RESUMED, "It must be the id of an event.", value=said)
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
