"""From the model's words to the API's: what clients read, field by field in the contract's types and order."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Literal
from urllib.parse import urlencode

from msgspec import UNSET, Struct, UnsetType

from higgins.api.zun import mounts as mounting
from higgins.api.zun import reach
from higgins.api.zun.microversion import Version
from higgins.api.zun.values import said
from higgins.logic import statusword
from higgins.model.action import Action, Outcome, Step
from higgins.model.capsule import Capsule, Healthcheck, RestartPolicy, Stage
from higgins.model.capsule import Health as Found
from higgins.model.capsule import Progress as Progressed
from higgins.model.ids import CapsuleId
from higgins.model.live import ExecResult
from higgins.model.query import Query


class Link(Struct):
    """Where something can be read."""

    href: str
    rel: str


class Health(Struct, kw_only=True):
    """What the health checks of a container say."""

    status: Literal["starting", "healthy", "unhealthy"]
    failing_streak: int
    output: str | None


class Progress(Struct, kw_only=True):
    """How far the fetching of an image is; sizes are bytes, as far as they are known yet."""

    layers: int
    layers_done: int
    size: int
    done: int


class Container(Struct, kw_only=True):
    """A container. Policy withholds some fields, four of them from everybody but admins; older versions lack those of `SINCE`."""

    uuid: str
    links: list[Link] | UnsetType = UNSET
    name: str
    project_id: str
    user_id: str
    image: str
    cpu: Annotated[float | None, said("null, like memory, for a container of a capsule that asked for none.")]
    cpu_policy: str
    memory: str | None
    command: Sequence[str] | None
    status: str
    status_reason: str | None
    task_state: str | None
    environment: Mapping[str, str] | None
    workdir: str | None
    auto_remove: bool
    ports: Sequence[int] | None
    hostname: str | None
    labels: Mapping[str, str] | None
    addresses: Annotated[dict[str, list[reach.Address]] | None, said("By the ids of the networks that it is in.")]
    image_pull_policy: str | UnsetType | None = UNSET
    host: str | UnsetType | None = UNSET
    restart_policy: dict[str, str] | None
    status_detail: str | None
    interactive: bool
    tty: bool
    image_driver: str | None
    security_groups: list[str] | None
    runtime: str | UnsetType | None = UNSET
    disk: int
    auto_heal: bool
    privileged: bool | UnsetType = UNSET
    healthcheck: dict[str, str | int] | None
    registry_id: str | None
    entrypoint: Sequence[str] | None
    created_at: str
    updated_at: str | None
    health: Annotated[
        Health | UnsetType | None,
        said("From version 1.41 on. What its health checks say; null where there are none, or it does not run."),
    ] = UNSET
    exit_code: Annotated[
        int | UnsetType | None, said("From version 1.41 on. How it ended last, while it does not run.")
    ] = UNSET
    started_at: Annotated[str | UnsetType | None, said("From version 1.41 on. When it was started last.")] = UNSET
    finished_at: Annotated[
        str | UnsetType | None, said("From version 1.41 on. When it ended last, while it does not run.")
    ] = UNSET
    desired_state: Annotated[
        str | UnsetType,
        said("From version 1.41 on. What somebody asked for last: created, running, stopped, paused or deleted."),
    ] = UNSET
    progress: Annotated[
        Progress | UnsetType | None,
        said("From version 1.41 on. How far the fetching of its image is, while that lasts."),
    ] = UNSET
    deadline: Annotated[
        str | UnsetType | None,
        said(
            "From version 1.41 on. When what was asked for counts as failed, if it is not done by then; null where nothing is pending."
        ),
    ] = UNSET
    mounts: Annotated[
        list[mounting.Mount] | UnsetType,
        said("From version 1.41 on. What is mounted into it, without what lies in files."),
    ] = UNSET
    published_ports: Annotated[
        list[reach.PublishedPort] | UnsetType, said("From version 1.41 on. The ports of its host that lead to it.")
    ] = UNSET


SINCE: Mapping[str, Version] = dict.fromkeys(
    (
        *("health", "exit_code", "started_at", "finished_at", "desired_state", "progress", "deadline"),
        *("published_ports", "mounts"),
    ),
    Version(1, 41),
)
"""The fields of a container that are younger than the API. Zun shows all of its own in every version."""


@cache
def unknown(version: Version) -> frozenset[str]:
    """The fields of a container that did not exist in this version yet."""
    return frozenset(name for name, since in SINCE.items() if version < since)


@cache
def withheld(hidden: frozenset[str], version: Version) -> frozenset[str]:
    """The fields that somebody does not see in this version from whom policy hides these."""
    return hidden | unknown(version)


class ContainerList(Struct):
    """A page of containers."""

    containers: list[Container]
    next: str | None


class Executed(Struct):
    """What a command left behind."""

    output: str | None
    exit_code: int | None
    exec_id: str | None
    proxy_url: str | None


class Event(Struct, kw_only=True):
    """One step of an action: from version 1.41 on a real one with what it has to say, before that the action as a whole."""

    event: str
    start_time: str
    finish_time: str | None
    result: str | None
    message: Annotated[str | UnsetType | None, said("From version 1.41 on. What it has to say.")] = UNSET
    traceback: str | None


class ActionRecord(Struct, kw_only=True):
    """What somebody asked of a container, and how it ended."""

    action: str
    container_uuid: str
    request_id: str
    user_id: str
    project_id: str
    start_time: str
    finish_time: str | None
    message: str | None
    deadline: Annotated[
        str | UnsetType | None, said("From version 1.41 on. When it counts as failed, if it is not done by then.")
    ] = UNSET
    events: list[Event] | UnsetType = UNSET


class ActionList(Struct, rename={"actions": "containerActions"}):
    """What was asked of a container, newest first."""

    actions: list[ActionRecord]


def container(
    capsule: Capsule,
    *,
    now: float,
    hidden: frozenset[str] = frozenset(),
    address: str | None = None,
    fresh: bool = False,
) -> Container:
    """One container, without the fields that are `hidden`.

    `address` is what links begin with, None for none of them; `fresh` is the answer to its creation.
    """
    spec, asked = capsule.spec, capsule.spec.containers[0]
    known = capsule.status.containers.get(asked.id)
    seen = known.observed if known else None
    word = statusword.describe(capsule)
    # What was not given is null in the answer to the creation, and empty from the first read on.
    empty_list: list[str] | None = None if fresh else []
    empty: dict[str, str] | None = None if fresh else {}
    ended = seen is not None and seen.stage in (Stage.EXITED, Stage.ABSENT)
    shown = Container(
        uuid=capsule.id,
        name=capsule.name,
        project_id=capsule.project_id,
        user_id=capsule.user_id,
        image=asked.image,
        cpu=asked.limits.cpu,
        cpu_policy=asked.cpu_policy,
        memory=str(asked.limits.memory),
        command=(seen.command if seen else None) or asked.command or empty_list,
        status=word.status,
        status_reason=word.reason,
        task_state=word.task,
        environment=asked.environment or empty,
        workdir=asked.workdir,
        auto_remove=spec.auto_remove,
        ports=reach.ports(spec, asked, seen) or (None if fresh and not seen else ()),
        # What is in a sandbox gets the name of that when it starts.
        hostname=asked.hostname or (seen.hostname if seen and (seen.started_at or not spec.sandbox) else None),
        labels=asked.labels or empty,
        addresses=reach.addresses(capsule) or (None if fresh else {}),
        image_pull_policy=asked.pull,
        host=capsule.host,
        restart_policy=restart(asked.restart) if asked.restart else empty,
        status_detail=statusword.detail(capsule, now),
        interactive=asked.interactive,
        tty=asked.tty,
        image_driver=asked.image_driver,
        security_groups=[*spec.security_groups] or empty_list,
        runtime=spec.runtime,
        disk=asked.limits.disk,
        auto_heal=spec.auto_heal,
        privileged=asked.privileged,
        healthcheck=_healthcheck(asked.healthcheck) if asked.healthcheck else (None if fresh else {}),
        registry_id=asked.registry,
        entrypoint=(seen.entrypoint if seen else None) or asked.entrypoint or empty_list,
        created_at=moment(capsule.created_at),
        updated_at=_optional(moment, capsule.updated_at),
        health=_health(seen.health) if seen and seen.health and not ended else None,
        exit_code=seen.exit_code if seen and ended else None,
        started_at=_optional(moment, seen.started_at if seen else None),
        finished_at=_optional(moment, seen.finished_at if seen and ended else None),
        desired_state=spec.desired.value,
        progress=progress(capsule.status.progress),
        deadline=_optional(moment, capsule.deadline),
        mounts=mounting.shown(asked.mounts),
        published_ports=reach.published(capsule),
    )
    if address is not None:
        shown.links = links(capsule.id, address)
    for name in hidden:
        setattr(shown, name, UNSET)
    return shown


def links(capsule_id: CapsuleId, address: str) -> list[Link]:
    """Where a container can be read."""
    return [
        Link(f"{address}/v1/containers/{capsule_id}", "self"),
        Link(f"{address}/containers/{capsule_id}", "bookmark"),
    ]


def following(query: Query, last: CapsuleId | None, address: str) -> str | None:
    """The address of the page that follows the one that ends with `last`, with everything that was asked of this one; None if none does."""
    if last is None:
        return None
    pairs = [
        *((name, value) for name, given in query.filters.items() for value in given),
        *([("all_projects", "true")] if query.all_projects else []),
        ("sort_key", query.sort_key),
        ("sort_dir", "desc" if query.descending else "asc"),
        ("limit", str(query.limit)),
        ("marker", last),
    ]
    return f"{address}/v1/containers?{urlencode(pairs)}"


def executed(result: ExecResult) -> Executed:
    """The end of a command; bytes that are no UTF-8 are shown as replacement characters."""
    return Executed(result.output.decode(errors="replace"), result.exit_code, None, None)


def actions(found: Sequence[Action], version: Version) -> ActionList:
    """The list of actions, without their steps."""
    return ActionList([_older(_record(one), version) for one in found])


def action(found: Action, version: Version, *, telling: bool) -> ActionRecord:
    """One action with its steps, newest first; `telling` also what only operators read about failures."""
    record = _record(found)
    # An action without steps of its own is its own only step: clients expect at least one.
    steps = found.steps if found.steps and version >= _STEPS else (_whole(found, version),)
    record.events = [_event(step, telling=telling) for step in steps]
    return _older(record, version)


_STEPS = Version(1, 41)
"""From here on the events of an action are its real steps; Zun's only one is the action as a whole."""


_ZUNS_STEPS: Mapping[str, str] = {
    **{f"network_{verb}": f"compute__do_network_{verb}" for verb in ("attach", "detach")},
    **{f"{verb}_security_group": f"compute__{verb}_security_group" for verb in ("add", "remove")},
}
"""What Zun calls the only step of an action, where that is not as all others."""


def _whole(found: Action, version: Version) -> Step:
    return Step(
        name=found.verb if version >= _STEPS else _ZUNS_STEPS.get(found.verb, f"compute__do_container_{found.verb}"),
        started_at=found.started_at,
        finished_at=found.finished_at,
        outcome=found.outcome,
        message=found.message,
    )


def _older(record: ActionRecord, version: Version) -> ActionRecord:
    """As it was before its steps were known: without what they say, and without a deadline."""
    if version < _STEPS:
        record.deadline = UNSET
        for event in record.events or ():
            event.message = UNSET
    return record


def moment(seconds: float) -> str:
    """A time with a space in the middle: clients of containers parse exactly this."""
    return str(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None))


def _instant(seconds: float) -> str:
    """A time as actions have it."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def _optional(show: Callable[[float], str], seconds: float | None) -> str | None:
    return None if seconds is None else show(seconds)


def progress(fetching: Progressed | None) -> Progress | None:
    """How far a fetching is, if there is one."""
    if fetching is None:
        return None
    return Progress(layers=fetching.layers, layers_done=fetching.layers_done, size=fetching.size, done=fetching.done)


def _health(found: Found) -> Health:
    return Health(status=found.condition.value, failing_streak=found.failures, output=found.output)


def _healthcheck(check: Healthcheck) -> dict[str, str | int]:
    """As it was sent, but for the name of the command."""
    said = {"interval": check.interval, "retries": check.retries, "timeout": check.timeout}
    return {"test": check.test, **{name: number for name, number in said.items() if number is not None}}


def restart(policy: RestartPolicy) -> dict[str, str]:
    """A restart policy as Zun writes it."""
    return {"Name": policy.name.value, "MaximumRetryCount": str(policy.maximum)}


def _record(found: Action) -> ActionRecord:
    return ActionRecord(
        action=found.verb,
        container_uuid=found.capsule_id,
        request_id=found.request_id,
        user_id=found.user_id,
        project_id=found.project_id,
        start_time=_instant(found.started_at),
        finish_time=_optional(_instant, found.finished_at),
        message="Error" if found.outcome is Outcome.ERROR else None,
        deadline=_optional(_instant, found.deadline),
    )


def _event(step: Step, *, telling: bool) -> Event:
    return Event(
        event=step.name,
        start_time=_instant(step.started_at),
        finish_time=_optional(_instant, step.finished_at),
        result=step.outcome.value.capitalize() if step.outcome else None,
        message=step.message,
        traceback=step.message if telling else None,
    )
