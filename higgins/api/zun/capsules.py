"""Capsules: what is asked, what is shown, and the verbs in between."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from higgins import errors
from higgins.api.zun import lists, mounts, reach, template, translate, values, views
from higgins.api.zun.form import Form
from higgins.api.zun.forms import Show
from higgins.api.zun.lists import Paging
from higgins.api.zun.microversion import OURS, Version
from higgins.api.zun.template import CapsuleTemplate
from higgins.api.zun.values import said
from higgins.api.zun.verbs import EMPTY, Answer, Ask, Door, foretold, patience
from higgins.api.zun.views import Link
from higgins.logic import statusword
from higgins.model import capsule as model
from higgins.model.ids import CapsuleId, made_by
from higgins.service.capsules import SORT_KEYS

_encode = msgspec.json.Encoder().encode
_IN_ONE_GO = 16
"""Capsules of a page that are looked at before others are answered in between."""

# What is asked.


class CreateCapsule(Struct, forbid_unknown_fields=True, kw_only=True):
    """A capsule to be made."""

    template: Annotated[
        CapsuleTemplate | str,
        said("What it is: an object, or the same as text, in JSON or in at most 32 KiB of YAML without aliases."),
    ]
    dry_run: Annotated[values.Truth | None, said("Whether to say only what would happen. May stand in the query.")] = (
        None
    )


class ListCapsules(Paging, kw_only=True):
    """Which capsules, in which order, and which page of them."""

    all_projects: Annotated[values.AnyTruth | None, said("Those of all projects. Admins only.")] = None


class DeleteCapsule(Struct, kw_only=True):
    """Where to look for a capsule."""

    all_projects: Annotated[values.AnyTruth | None, said("Look in all projects. Admins only.")] = None


CREATE: Form[CreateCapsule] = Form(
    params=CreateCapsule, since={"dry_run": OURS}, query=("dry_run",), placed=("template",), texts=("template",)
)
LIST: Form[ListCapsules] = Form(params=ListCapsules, strict=False)
DELETE: Form[DeleteCapsule] = Form(params=DeleteCapsule, strict=False)

# What is shown.


class Capsule(Struct, kw_only=True):
    """A capsule with its containers. Policy withholds its host from everybody but admins; up to version 1.31 some fields had other names."""

    uuid: str
    links: list[Link]
    name: str | UnsetType | None = UNSET
    meta_name: Annotated[str | UnsetType | None, said("Up to version 1.31: its name.")] = UNSET
    project_id: str
    user_id: str
    cpu: float
    memory: str
    status: str
    status_reason: str | None
    labels: Mapping[str, str] | UnsetType = UNSET
    meta_labels: Annotated[Mapping[str, str] | UnsetType, said("Up to version 1.31: its labels.")] = UNSET
    addresses: Annotated[dict[str, list[reach.Address]], said("By the ids of the networks that all of it is in.")]
    restart_policy: Annotated[dict[str, str] | str, said("Up to version 1.31 only its name.")]
    annotations: Mapping[str, str] | None
    created_at: str
    updated_at: str | None
    host: str | UnsetType | None = UNSET
    containers: list[views.Container]
    init_containers: list[views.Container]
    volumes_info: Annotated[dict[str, Any] | UnsetType, said("Up to version 1.31; always empty.")] = UNSET
    containers_uuids: Annotated[list[str] | UnsetType, said("Up to version 1.31; always empty.")] = UNSET
    init_containers_uuids: Annotated[list[str] | UnsetType, said("Up to version 1.31; always empty.")] = UNSET
    capsule_version: Annotated[str | UnsetType, said("Up to version 1.31; always empty.")] = UNSET
    task_state: Annotated[str | UnsetType | None, said("From version 1.41 on. What is being done to it just now.")] = (
        UNSET
    )
    deadline: Annotated[
        str | UnsetType | None,
        said(
            "From version 1.41 on. When what was asked for counts as failed, if it is not done by then; null where nothing is pending."
        ),
    ] = UNSET
    published_ports: Annotated[
        list[reach.PublishedPort] | UnsetType, said("From version 1.41 on. The ports of its host that lead to it.")
    ] = UNSET


class CapsuleList(Struct):
    """A page of capsules."""

    capsules: list[Capsule]
    next: str | None


_RENAMED = Version(1, 32)


def view(
    capsule: model.Capsule,
    version: Version,
    *,
    now: float,
    address: str,
    hidden: frozenset[str] = frozenset(),
    host: bool = False,
) -> Capsule:
    """One capsule as this version shows it, with its host if that may be seen, and with its containers without the fields that are `hidden`."""
    spec, word, claim = capsule.spec, statusword.describe(capsule), capsule.spec.claim()
    shown = Capsule(
        uuid=capsule.id,
        links=[
            Link(f"{address}/v1/capsules/{capsule.id}", "self"),
            Link(f"{address}/capsules/{capsule.id}", "bookmark"),
        ],
        name=capsule.name or None,
        project_id=capsule.project_id,
        user_id=capsule.user_id,
        cpu=claim.cpu,
        memory=str(claim.memory),
        status=word.status,
        status_reason=word.reason,
        labels=spec.labels or {},
        addresses=reach.addresses(capsule),
        restart_policy=views.restart(spec.containers[0].restart or model.RestartPolicy()),
        annotations=spec.annotations,
        created_at=views.moment(capsule.created_at),
        updated_at=None if capsule.updated_at is None else views.moment(capsule.updated_at),
        host=capsule.host if host else UNSET,
        containers=[_nested(capsule, one, now, hidden) for one in spec.containers],
        init_containers=[_nested(capsule, one, now, hidden) for one in spec.init],
        task_state=word.task,
        deadline=None if capsule.deadline is None else views.moment(capsule.deadline),
        published_ports=reach.published(capsule),
    )
    return _before_names(_before_ours(shown, version), version)


def _before_ours(shown: Capsule, version: Version) -> Capsule:
    """Without what Zun has no word for."""
    if version >= OURS:
        return shown
    return msgspec.structs.replace(shown, task_state=UNSET, deadline=UNSET, published_ports=UNSET)


def _before_names(shown: Capsule, version: Version) -> Capsule:
    """With the names that some fields had at first, and with what was never filled."""
    if version >= _RENAMED:
        return shown
    policy = shown.restart_policy
    return msgspec.structs.replace(
        shown,
        name=UNSET,
        meta_name=shown.name,
        labels=UNSET,
        meta_labels=shown.labels,
        restart_policy=policy if isinstance(policy, str) else policy["Name"],
        volumes_info={},
        containers_uuids=[],
        init_containers_uuids=[],
        capsule_version="",
    )


def _nested(capsule: model.Capsule, one: model.Container, now: float, hidden: frozenset[str]) -> views.Container:
    """One container of a capsule of several, as it would be shown alone, but for what belongs to the capsule."""
    known, word = capsule.status.containers.get(one.id), statusword.describe_one(capsule, one)
    status = replace(capsule.status, containers={one.id: known} if known else {})
    if one != _next(capsule):
        status = replace(status, activity=None, progress=None)
    alone = replace(
        capsule,
        id=CapsuleId(one.id),
        name=one.name,
        assignment=replace(capsule.assignment, ports=(), published=()),
        spec=replace(capsule.spec, containers=(one,), init=(), published=()),
        status=status,
    )
    shown = views.container(alone, now=now)
    shown.status, shown.status_reason, shown.task_state = word.status, word.reason, word.task
    shown.cpu = one.limits.cpu or None
    shown.memory = str(one.limits.memory) if one.limits.memory else None
    for name in hidden:
        setattr(shown, name, UNSET)
    return shown


def _next(capsule: model.Capsule) -> model.Container | None:
    """The container that its host is making."""
    seen = capsule.status.containers
    return next((one for one in capsule.spec.all() if one.id not in seen or seen[one.id].observed is None), None)


# The verbs.


async def create(door: Door, ask: Ask[CreateCapsule]) -> Answer:
    """Make a capsule and start its containers."""
    match ask.params.template:
        case CapsuleTemplate() as asked:
            named, storage = await mounts.of_template(
                asked.spec.volumes or (), "template.spec.volumes", door.services.volumes, ask.caller, ask.request
            )
            spec = template.spec(asked, "template", named, publishing=ask.version >= OURS)
            name = asked.metadata.name or ""
        case _:
            raise errors.Invalid(
                "Invalid input for field 'template'. It must be an object.", code="schema-validation-error"
            )
    capsule_id = CapsuleId(made_by(ask.request))
    if ask.params.dry_run:
        foretelling = door.services.capsules.foretell(ask.caller, capsule_id, spec, name=name, storage=storage)
        return foretold(door, ask, await foretelling)
    made = await door.services.capsules.create(
        ask.caller, ask.request, capsule_id, spec, name=name, again=ask.again, storage=storage
    )
    return Answer(_encode(_shown(door, ask, made)), {"Location": f"{ask.address}/v1/capsules/{made.id}"})


async def list_(door: Door, ask: Ask[ListCapsules]) -> Answer:
    """The capsules of the caller's project."""
    wanted = lists.query(ask.params, door.max_limit, SORT_KEYS, all_projects=bool(ask.params.all_projects))
    page = await door.services.capsules.list(ask.caller, wanted)
    shown = []
    for number, one in enumerate(page.items):
        if number % _IN_ONE_GO == _IN_ONE_GO - 1:
            await asyncio.sleep(0)
        shown.append(_shown(door, ask, one))
    return Answer(_encode(CapsuleList(shown, lists.following(ask, "capsules", wanted, page))))


async def show(door: Door, ask: Ask[Show]) -> Answer:
    """One capsule; with `wait`, as soon as it is what was waited for, or Error, or `timeout` seconds are over."""
    asked, capsules, every = ask.params, door.services.capsules, bool(ask.params.all_projects)
    if asked.wait is None:
        found = await capsules.show(ask.caller, ask.path[0], all_projects=every)
    else:
        statuses = translate.statuses(asked.wait)
        found = await capsules.wait(
            ask.caller, ask.path[0], statuses, patience(asked.timeout), all_projects=every, gone=ask.gone
        )
    return Answer(_encode(_shown(door, ask, found)))


async def delete(door: Door, ask: Ask[DeleteCapsule]) -> Answer:
    """Stop the containers of a capsule and remove all of it."""
    every = bool(ask.params.all_projects)
    await door.services.capsules.delete(ask.caller, ask.request, ask.path[0], all_projects=every)
    return EMPTY


def _shown(door: Door, ask: Ask[Any], capsule: model.Capsule) -> Capsule:
    project, user = capsule.project_id, capsule.user_id
    hidden = views.withheld(door.policy.hidden(ask.caller, project_id=project, user_id=user), ask.version)
    host = door.policy.allows(ask.caller, "capsule:get:host", project_id=project, user_id=user)
    return view(capsule, ask.version, now=door.now(), address=ask.address, hidden=hidden, host=host)
