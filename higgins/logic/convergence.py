"""The next step towards what was asked, from what is there.

One function for every path: the first start, the path after a crash, and the repair of what somebody changed from outside are the same walk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from higgins.logic import restart
from higgins.model.capsule import (
    CapsuleSpec,
    Container,
    ContainerStatus,
    Desired,
    Observation,
    RestartName,
    RestartPolicy,
    Stage,
)
from higgins.model.ids import ContainerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Make a container, fetching its image if need be."""

    container: Container


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start a container that is there."""

    container_id: ContainerId
    again: bool = False
    """The restart policy wants it, not a caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Ask a container to end, kill it after `timeout` seconds."""

    container_id: ContainerId
    timeout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Remove a container, whatever it does."""

    container_id: ContainerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Freeze a container."""

    container_id: ContainerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpause:
    """Let a frozen container run on."""

    container_id: ContainerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing to do now."""

    settled: bool = True
    """What was asked is there. False: something has to happen by itself first."""
    until: float | None = None
    """Look again then, even if nothing was heard."""
    failure: str | None = None
    """Why it will never be there."""


Step = Create | Start | Stop | Remove | Pause | Unpause
Known = Mapping[ContainerId, ContainerStatus]
Seen = Mapping[ContainerId, Observation]


def next_step(spec: CapsuleSpec, epoch: int, seen: Seen, known: Known, now: float) -> Step | Rest:
    """The one step to take now for a capsule that is assigned to this host under `epoch`.

    `seen` is all that the runtime has of this capsule, `known` what `absorb` made of it.
    """
    wanted = {container.id for container in spec.all()}
    for found in seen.values():
        if found.epoch != epoch or found.container_id not in wanted:
            return Remove(container_id=found.container_id)
    if spec.desired is Desired.DELETED:
        return _ending(spec, seen)
    if spec.desired in (Desired.RUNNING, Desired.PAUSED):
        for container in spec.init:
            ahead = _initial(spec, container, seen.get(container.id), _status(known, container), now)
            if ahead is not None:
                return ahead
    else:
        for container in spec.init:
            ahead = _stopping(spec, container.id, _stage(seen, container))
            if ahead is not None:
                return ahead
    looks: list[float] = []
    for container in spec.containers:
        match _regular(spec, container, seen.get(container.id), _status(known, container), now):
            case None:
                continue
            case Rest(until=until) if until is not None:
                looks.append(until)
            case ahead:
                return ahead
    return Rest(until=min(looks, default=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time during which the runtime did not answer."""

    began: float
    ended: float | None = None
    """None: it goes on."""


_SHUTDOWN = 20.0
"""Seconds that a runtime takes at most to end its containers before it goes away itself."""
_FOUND_DEAD = 255
"""The exit code that an engine writes down for what it finds dead when it comes back."""


def absorb(
    spec: CapsuleSpec, epoch: int, seen: Seen, known: Known, outage: Outage | None = None, *, unwatched: bool = False
) -> dict[ContainerId, ContainerStatus]:
    """What is known of every container once the runtime has been looked at.

    `outage` is the last one that the host remembers. `unwatched`: nobody was there to remember one since `known` was written down.
    """
    # What is left of another assignment says nothing about this one: how it ended must not pass for an end of what was asked here.
    mine = {found.container_id: found for found in seen.values() if found.epoch == epoch}
    return {
        container.id: _absorbed(container, mine.get(container.id), known.get(container.id), outage, unwatched=unwatched)
        for container in spec.all()
    }


def taken(step: Step, spec: CapsuleSpec, known: Known) -> dict[ContainerId, ContainerStatus]:
    """What is known once a step has succeeded."""
    after = dict(known)
    if isinstance(step, Start):
        before = known.get(step.container_id, ContainerStatus())
        attempts = before.attempts + 1 if step.again else 0
        # The run that had ended is history: should the new one vanish before anybody looks, that is no end by itself.
        last = before.observed
        begun = last and replace(last, stage=Stage.RUNNING, started_at=None, finished_at=None, exit_code=None)
        after[step.container_id] = replace(
            before, observed=begun, restarts=spec.restarts, attempts=attempts, waiting=False, interrupted=False
        )
    return after


def _status(known: Known, container: Container) -> ContainerStatus:
    return known.get(container.id) or ContainerStatus()


def _stage(seen: Seen, container: Container) -> Stage:
    found = seen.get(container.id)
    return found.stage if found else Stage.ABSENT


def _absorbed(
    container: Container,
    found: Observation | None,
    before: ContainerStatus | None,
    outage: Outage | None,
    *,
    unwatched: bool,
) -> ContainerStatus:
    status = before or ContainerStatus()
    if found is None:
        return replace(status, observed=_lost(status), waiting=False, interrupted=False)
    # The mark that it was created with tells which start the first run answers, even if nobody lived to say so.
    answered = max(status.restarts, found.restarts) if found.started_at is not None else status.restarts
    waiting = found.stage is Stage.EXITED and restart.due(container.restart, found, status) is not None
    interrupted = found.stage is Stage.EXITED and (
        _cut_short(found, status.observed, outage, unwatched=unwatched)
        or _taken_away(found, status.observed)
        or (status.interrupted and _same_run(found, status.observed))
    )
    return replace(status, observed=found, restarts=answered, waiting=waiting, interrupted=interrupted)


def _taken_away(found: Observation, last: Observation | None) -> bool:
    """Whether somebody has it removed from the runtime, which ends the run first. What had ended before stays ended."""
    return found.leaving and not (last is not None and last.stage is Stage.EXITED and _same_run(found, last))


def _same_run(found: Observation, last: Observation | None) -> bool:
    return last is not None and last.started_at == found.started_at


def _ended(last: Observation | None) -> bool:
    return last is not None and last.finished_at is not None


def _cut_short(found: Observation, last: Observation | None, outage: Outage | None, *, unwatched: bool) -> bool:
    """Whether a run ended because the runtime went away, by itself, by power failure or by its administrator's hand."""
    if found.started_at is None or found.finished_at is None:
        return False
    # Only of what nobody watched: a command may well end with this code by itself, and must not be started again for it each time.
    if unwatched and found.exit_code == _FOUND_DEAD and not (_same_run(found, last) and _ended(last)):
        return True
    if outage is None or found.finished_at < outage.began - _SHUTDOWN:
        return False
    if outage.ended is not None and outage.ended < found.finished_at:
        return False
    # What began during the outage was started between two that look like one; there only the code tells.
    return found.started_at <= outage.began or found.exit_code == _FOUND_DEAD


def _lost(status: ContainerStatus) -> Observation | None:
    """A run that had ended by itself stays ended when its remains vanish; any other is simply not there."""
    last = status.observed
    if last is None or last.stage is Stage.ABSENT:
        return last
    if last.stage is Stage.EXITED and not status.interrupted:
        return replace(last, stage=Stage.ABSENT)
    return replace(last, stage=Stage.ABSENT, started_at=None, finished_at=None, exit_code=None)


def _ending(spec: CapsuleSpec, seen: Seen) -> Step | Rest:
    for found in seen.values():
        grace = _stopping(spec, found.container_id, found.stage) if spec.stop_timeout > 0 else None
        return grace or Remove(container_id=found.container_id)
    return Rest()


def _stopping(spec: CapsuleSpec, container_id: ContainerId, stage: Stage) -> Step | None:
    """The way to a stop; None when it does not run. What is frozen cannot hear that it should end: it is let go first, if it has time."""
    match stage:
        case Stage.PAUSED if spec.stop_timeout > 0:
            return Unpause(container_id=container_id)
        case Stage.RUNNING | Stage.PAUSED:
            return Stop(container_id=container_id, timeout=spec.stop_timeout)
        case _:
            return None


def _initial(
    spec: CapsuleSpec, container: Container, found: Observation | None, status: ContainerStatus, now: float
) -> Step | Rest | None:
    """An init container has to run to a good end, once; None when it has."""
    last = found or status.observed
    if (
        last is not None
        and last.finished_at is not None
        and last.stage in (Stage.EXITED, Stage.ABSENT)
        and last.exit_code == 0
    ):
        return None
    match found.stage if found else Stage.ABSENT:
        case Stage.ABSENT:
            return Create(container=container)
        case Stage.CREATED:
            return Start(container_id=container.id)
        case Stage.PAUSED:
            return Unpause(container_id=container.id)
        case Stage.RUNNING:
            return Rest(settled=False)
        case Stage.EXITED:
            assert found is not None
            if status.interrupted or status.restarts < spec.restarts:
                return _anew(found)
            when = restart.due(_retried(container.restart), found, status)
            if when is None:
                return Rest(
                    failure=f"The init container {container.name} ended with exit code {found.exit_code}; the others were not started."
                )
            return _anew(found, again=True) if when <= now else Rest(settled=False, until=when)


def _retried(policy: RestartPolicy | None) -> RestartPolicy | None:
    """An init container that ended well is done, whatever the policy of the capsule says."""
    if policy is not None and policy.name in (RestartName.ALWAYS, RestartName.UNLESS_STOPPED):
        return RestartPolicy(name=RestartName.ON_FAILURE)
    return policy


def _regular(
    spec: CapsuleSpec, container: Container, found: Observation | None, status: ContainerStatus, now: float
) -> Step | Rest | None:
    stage = found.stage if found else Stage.ABSENT
    match spec.desired:
        case Desired.CREATED:
            if stage is Stage.ABSENT:
                return Create(container=container)
            return _stopping(spec, container.id, stage)
        case Desired.STOPPED:
            # What was lost while it was stopped is made again by the next start.
            return _stopping(spec, container.id, stage)
        case _:
            return _running(spec, container, found, status, now)


def _running(
    spec: CapsuleSpec, container: Container, found: Observation | None, status: ContainerStatus, now: float
) -> Step | Rest | None:
    stale = status.restarts < spec.restarts
    match found.stage if found else Stage.ABSENT:
        case Stage.ABSENT:
            lost = status.observed
            ended = lost is not None and lost.finished_at is not None
            over = ended and not stale and lost is not None and restart.due(container.restart, lost, status) is None
            return None if over else Create(container=container)
        case Stage.CREATED:
            return Start(container_id=container.id)
        case Stage.PAUSED:
            if spec.desired is Desired.PAUSED and not stale:
                return None
            return Unpause(container_id=container.id)
        case Stage.RUNNING:
            if stale:
                return Stop(container_id=container.id, timeout=spec.stop_timeout)
            return Pause(container_id=container.id) if spec.desired is Desired.PAUSED else None
        case Stage.EXITED:
            assert found is not None
            if stale or status.interrupted:
                return _anew(found)
            when = restart.due(container.restart, found, status)
            if when is None:
                return None
            return _anew(found, again=True) if when <= now else Rest(until=when)


def _anew(found: Observation, *, again: bool = False) -> Step:
    """Start what has ended; out of the way with what can never start again, so that another takes its place."""
    if found.leaving:
        return Remove(container_id=found.container_id)
    return Start(container_id=found.container_id, again=again)
