"""From the model's words to the API's: what clients read, field by field in the contract's types and order."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from msgspec import UNSET, Struct, UnsetType

from higgins.logic import statusword
from higgins.model.action import Action, Outcome, Step
from higgins.model.capsule import Capsule, RestartPolicy
from higgins.model.live import ExecResult
from higgins.model.query import Page, Query


class Link(Struct):
    """Where something can be read."""

    href: str
    rel: str


class Container(Struct, kw_only=True):
    """A container. Policy withholds some fields, four of them from everybody but admins."""

    uuid: str
    links: list[Link] | UnsetType = UNSET
    name: str
    project_id: str
    user_id: str
    image: str
    cpu: float
    cpu_policy: str
    memory: str
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
    addresses: dict[str, list[dict[str, str]]] | None
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
    healthcheck: dict[str, str] | None
    registry_id: str | None
    entrypoint: Sequence[str] | None
    created_at: str
    updated_at: str | None


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


class Event(Struct):
    """One step of an action."""

    event: str
    start_time: str
    finish_time: str | None
    result: str | None
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
        ports=seen.ports if seen else (None if fresh else ()),
        hostname=(seen.hostname if seen else None) or asked.hostname,
        labels=asked.labels or empty,
        addresses=None if fresh else {},
        image_pull_policy=asked.pull,
        host=capsule.host,
        restart_policy=_restart(asked.restart) if asked.restart else empty,
        status_detail=statusword.detail(capsule, now),
        interactive=asked.interactive,
        tty=asked.tty,
        image_driver=asked.image_driver,
        security_groups=empty_list,
        runtime=spec.runtime,
        disk=asked.limits.disk,
        auto_heal=spec.auto_heal,
        privileged=asked.privileged,
        healthcheck=empty,
        registry_id=None,
        entrypoint=(seen.entrypoint if seen else None) or asked.entrypoint or empty_list,
        created_at=moment(capsule.created_at),
        updated_at=_optional(moment, capsule.updated_at),
    )
    if address is not None:
        shown.links = [
            Link(f"{address}/v1/containers/{capsule.id}", "self"),
            Link(f"{address}/containers/{capsule.id}", "bookmark"),
        ]
    for name in hidden:
        setattr(shown, name, UNSET)
    return shown


def page(
    page: Page, query: Query, *, now: float, hidden: Callable[[Capsule], frozenset[str]], address: str
) -> ContainerList:
    """A page of a list, and the address of the next one with everything that was asked of this one."""
    following = None
    if page.more and page.capsules:
        pairs = [
            *((name, value) for name, given in query.filters.items() for value in given),
            *([("all_projects", "true")] if query.all_projects else []),
            ("sort_key", query.sort_key),
            ("sort_dir", "desc" if query.descending else "asc"),
            ("limit", str(query.limit)),
            ("marker", page.capsules[-1].id),
        ]
        following = f"{address}/v1/containers?{urlencode(pairs)}"
    return ContainerList([container(one, now=now, hidden=hidden(one)) for one in page.capsules], following)


def executed(result: ExecResult) -> Executed:
    """The end of a command; bytes that are no UTF-8 are shown as replacement characters."""
    return Executed(result.output.decode(errors="replace"), result.exit_code, None, None)


def actions(found: Sequence[Action]) -> ActionList:
    """The list of actions, without their steps."""
    return ActionList([_record(one) for one in found])


def action(found: Action, *, telling: bool) -> ActionRecord:
    """One action with its steps; `telling` also what they have to say about failures."""
    # An action without steps of its own is its own only step: clients expect at least one.
    whole = Step(
        name=found.verb,
        started_at=found.started_at,
        finished_at=found.finished_at,
        outcome=found.outcome,
        message=found.message,
    )
    record = _record(found)
    record.events = [_event(step, telling=telling) for step in found.steps or (whole,)]
    return record


def moment(seconds: float) -> str:
    """A time with a space in the middle: clients of containers parse exactly this."""
    return str(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None))


def _instant(seconds: float) -> str:
    """A time as actions have it."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def _optional(show: Callable[[float], str], seconds: float | None) -> str | None:
    return None if seconds is None else show(seconds)


def _restart(policy: RestartPolicy) -> dict[str, str]:
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
    )


def _event(step: Step, *, telling: bool) -> Event:
    return Event(
        event=f"compute__do_container_{step.name}",
        start_time=_instant(step.started_at),
        finish_time=_optional(_instant, step.finished_at),
        result=step.outcome.value.capitalize() if step.outcome else None,
        traceback=step.message if telling else None,
    )
