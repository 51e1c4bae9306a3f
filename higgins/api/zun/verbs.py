"""What each route does: hand the request's parameters to a verb of the service, and show what it returns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import web

from higgins.api.zun import discovery, dryrun, forms, translate, views
from higgins.api.zun import mounts as mounting
from higgins.api.zun.faces import Face, Faces
from higgins.api.zun.microversion import Version
from higgins.api.zun.pace import Pace
from higgins.logic.forecast import Forecast
from higgins.model.capsule import Capsule, Resources
from higgins.model.identity import Caller
from higgins.model.ids import CapsuleId, ContainerId, ProjectId, RequestId, UserId, made_by
from higgins.service.capsules import Capsules
from higgins.service.containers import Containers
from higgins.service.events import Events
from higgins.service.fleet import Fleet
from higgins.service.images import Images
from higgins.service.live import LiveVerbs
from higgins.service.networks import Networks
from higgins.service.policy import Policy
from higgins.service.quotas import Quotas
from higgins.service.registries import Registries
from higgins.service.repeats import Repeats
from higgins.service.security_groups import SecurityGroups
from higgins.service.volumes import Volumes

P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the verbs call."""

    containers: Containers
    capsules: Capsules
    fleet: Fleet
    events: Events
    live: LiveVerbs
    registries: Registries
    volumes: Volumes
    images: Images
    networks: Networks
    security_groups: SecurityGroups
    quotas: Quotas
    repeats: Repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the verbs work with."""

    services: Services
    policy: Policy
    """Asked only about what is shown; what may be done is the service's to decide."""
    defaults: Resources
    """What a container gets where nothing was asked."""
    max_limit: int
    """The longest page of a list."""
    now: Callable[[], float]
    faces: Faces
    document: bytes
    """The OpenAPI document."""
    max_archive: int
    """The most bytes of an archive that is not passed on as it comes."""
    console_url: str | None
    """What addresses of consoles begin with; None: as the request did."""
    origins: frozenset[str]
    """The names of hosts whose pages may open consoles, besides our own."""
    pace: Pace
    """How long sessions wait for their clients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Generic[P]):
    """One request that passed the door."""

    caller: Caller
    request: RequestId
    address: str
    """The address that links begin with."""
    version: Version
    """The one that it is answered in."""
    headers: Mapping[str, str]
    """As they came; their names in any case."""
    path: tuple[str, ...]
    """The path's variable parts, in order."""
    params: P
    body: AsyncIterator[bytes] | None = None
    """What came, where it is raw bytes and the verb's to read."""
    gone: Callable[[], bool] = lambda: False
    """Whether nobody waits for the answer any more."""
    again: bool = False
    """The same request, under the same id, was begun before, and nobody knows how far it came."""
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What is entered here stays open until the answer has been given."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a successful answer."""

    body: bytes = b"null"
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    status: int | None = None
    """None: that of the route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer of unknown length, written as the pieces come."""

    pieces: AsyncIterator[bytes]
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    lasting: bool = False
    """It may go on for ever: it begins without waiting for a piece, and is broken off when the server stops."""


_USUAL_WAIT = 60.0
"""Seconds that somebody waits who does not say how many."""


@dataclass(frozen=True, slots=True)
class Socket:
    """An answer that is no end: the connection becomes a WebSocket."""

    serve: Callable[[web.Request, asyncio.Event], Awaitable[web.StreamResponse]]
    """Returns when it is over, soon after the event is set. Raises a Failure as long as nothing has been answered."""


_encode = msgspec.json.Encoder().encode
NULL = Answer()
EMPTY = Answer(b"")


async def root(_: Door, ask: Ask[Any]) -> Answer:
    """The versions of the API."""
    return Answer(_encode(discovery.versions(ask.address)))


async def version(_: Door, ask: Ask[Any]) -> Answer:
    """What version 1 of the API has."""
    return Answer(_encode(discovery.resources(ask.address)))


async def healthcheck(_: Door, __: Ask[Any]) -> Answer:
    """Whether the service answers."""
    return Answer(b"OK", content_type="text/plain")


async def document(door: Door, _: Ask[Any]) -> Answer:
    """This API as an OpenAPI document."""
    return Answer(door.document)


async def create(door: Door, ask: Ask[forms.CreateContainer]) -> Answer:
    """Make a container, and start it if `run` is true."""
    named = ask.params.registry
    registry = None if named is None else (await door.services.registries.find(ask.caller, named)).id
    mounts, storage = await mounting.meant(ask.params.mounts or (), door.services.volumes, ask.caller, ask.request)
    spec = translate.spec(ask.params, ContainerId(made_by(ask.request)), door.defaults, registry, mounts)
    networks, groups = translate.networks(ask.params.nets), ask.params.security_groups or ()
    containers = door.services.containers
    if ask.params.dry_run:
        foretelling = containers.foretell(ask.caller, spec, networks=networks, groups=groups, storage=storage)
        return foretold(door, ask, await foretelling)
    capsule = await containers.create(
        ask.caller, ask.request, spec, networks=networks, groups=groups, again=ask.again, storage=storage
    )
    location = {"Location": f"{ask.address}/v1/containers/{capsule.id}"}
    return Answer(_encode(_view(door, ask, capsule, fresh=True)), location)


async def list_(door: Door, ask: Ask[forms.ListContainers]) -> Answer:
    """The containers of the caller's project."""
    query = translate.query(ask.params, door.max_limit)
    hidden = cache(partial(_hidden, door, ask))  # Few people have made all of them.

    def recall(capsule_id: CapsuleId, revision: int) -> Face | None:
        return door.faces.recall(capsule_id, revision, hidden)

    page = await door.services.containers.list(ask.caller, query, recall)
    return Answer(await door.faces.page(page, query, now=door.now(), hidden=hidden, address=ask.address))


async def show(door: Door, ask: Ask[forms.Show]) -> Answer:
    """One container; with `wait`, as soon as it is what was waited for, or Error, or `timeout` seconds are over."""
    asked, every = ask.params, bool(ask.params.all_projects)
    if asked.wait is not None:
        capsule = await door.services.containers.wait(
            ask.caller,
            ask.path[0],
            translate.statuses(asked.wait),
            patience(asked.timeout),
            all_projects=every,
            gone=ask.gone,
        )
        return Answer(_encode(_view(door, ask, capsule)))
    sealed = await door.services.containers.show_sealed(ask.caller, ask.path[0], all_projects=every)
    hidden = _hidden(door, ask, sealed.project_id, sealed.user_id)
    return Answer(door.faces.one(sealed, now=door.now(), hidden=hidden, address=ask.address))


async def update(door: Door, ask: Ask[forms.UpdateContainer]) -> Answer:
    """Change a container; without a change, show it."""
    wish = translate.wish(ask.params)
    capsule = await door.services.containers.update(ask.caller, ask.request, ask.path[0], wish)
    return Answer(_encode(_view(door, ask, capsule)))


async def resize(door: Door, ask: Ask[forms.UpdateContainer]) -> Answer:
    """Change what a container gets."""
    wish = translate.wish(ask.params)
    capsule = await door.services.containers.resize_container(ask.caller, ask.request, ask.path[0], wish)
    return Answer(_encode(_view(door, ask, capsule)))


async def rebuild(door: Door, ask: Ask[forms.RebuildContainer]) -> Answer:
    """Make a container anew from its image, or from another one."""
    await door.services.containers.rebuild(ask.caller, ask.request, ask.path[0], image=ask.params.image)
    return NULL


async def rename(door: Door, ask: Ask[forms.RenameContainer]) -> Answer:
    """Give a container another name."""
    capsule = await door.services.containers.rename(ask.caller, ask.path[0], ask.params.name)
    return Answer(_encode(_view(door, ask, capsule)))


async def delete(door: Door, ask: Ask[forms.DeleteContainer]) -> Answer:
    """Remove a container."""
    asked = ask.params
    await door.services.containers.delete(
        ask.caller,
        ask.request,
        ask.path[0],
        force=bool(asked.force),
        stop=bool(asked.stop),
        all_projects=bool(asked.all_projects),
    )
    return EMPTY


async def start(door: Door, ask: Ask[Any]) -> Answer:
    """Start a container."""
    await door.services.containers.start(ask.caller, ask.request, ask.path[0])
    return NULL


async def stop(door: Door, ask: Ask[forms.StopContainer]) -> Answer:
    """Stop a container, after `timeout` seconds by force."""
    await door.services.containers.stop(ask.caller, ask.request, ask.path[0], timeout=_seconds(ask.params))
    return NULL


async def reboot(door: Door, ask: Ask[forms.StopContainer]) -> Answer:
    """Stop a container and start it again."""
    await door.services.containers.reboot(ask.caller, ask.request, ask.path[0], timeout=_seconds(ask.params))
    return NULL


async def pause(door: Door, ask: Ask[Any]) -> Answer:
    """Freeze a container."""
    await door.services.containers.pause(ask.caller, ask.request, ask.path[0])
    return NULL


async def unpause(door: Door, ask: Ask[Any]) -> Answer:
    """Let a frozen container go on."""
    await door.services.containers.unpause(ask.caller, ask.request, ask.path[0])
    return NULL


async def actions(door: Door, ask: Ask[Any]) -> Answer:
    """What was asked of a container, newest first."""
    found = await door.services.containers.actions(ask.caller, ask.path[0])
    return Answer(_encode(views.actions(found, ask.version)))


async def action(door: Door, ask: Ask[Any]) -> Answer:
    """One thing that was asked of a container, with its steps."""
    found = await door.services.containers.action(ask.caller, ask.path[0], RequestId(ask.path[1]))
    telling = door.policy.allows(
        ask.caller, "container:action:events", project_id=found.project_id, user_id=found.user_id
    )
    return Answer(_encode(views.action(found, ask.version, telling=telling)))


def foretold(door: Door, ask: Ask[Any], forecast: Forecast) -> Answer:
    """The answer to a dry run; how many hosts there are is for those who may list them."""
    caller = ask.caller
    counts = door.policy.allows(caller, "host:get_all", project_id=caller.project_id, user_id=caller.user_id)
    return Answer(_encode(dryrun.view(forecast, counts=counts)), status=HTTPStatus.OK)


def _view(door: Door, ask: Ask[Any], capsule: Capsule, *, fresh: bool = False) -> views.Container:
    hidden = _hidden(door, ask, capsule.project_id, capsule.user_id)
    return views.container(capsule, now=door.now(), hidden=hidden, address=ask.address, fresh=fresh)


def _hidden(door: Door, ask: Ask[Any], project_id: ProjectId, user_id: UserId) -> frozenset[str]:
    withheld = door.policy.hidden(ask.caller, project_id=project_id, user_id=user_id)
    return views.withheld(withheld, ask.version)


def patience(asked: int | None) -> float:
    """How many seconds somebody waits who asks for so many, or does not say."""
    return _USUAL_WAIT if asked is None else float(asked)


def _seconds(asked: forms.StopContainer) -> int | None:
    return None if asked.timeout is None else int(asked.timeout)
