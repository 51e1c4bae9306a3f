"""The next step towards what was asked, from what is there.

One function for every path: the first start, the path after a crash, and the repair of what somebody changed from outside are the same walk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from higgins.logic import restart
from higgins.model.capsule import (
    CapsuleSpec,
    Condition,
    Container,
    ContainerStatus,
    Desired,
    Health,
    Observation,
    Resources,
    RestartName,
    RestartPolicy,
    Stage,
)
from higgins.model.ids import ContainerId, PortId
from higgins.model.network import Port


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Have at hand what a container is to be made anew from. Changes nothing about what is there."""

    container: Container


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelter:
    """Make the sandbox that the containers are going to share."""

    sandbox: ContainerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """Give the sandbox a port, or bring the one that it has up to date."""

    port: Port


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplug:
    """Take a port away from whatever has it."""

    port_id: PortId


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Make a container, fetching its image if need be."""

    container: Container
    at_hand: bool = False
    """Its image has been made sure of: it is fetched only if it is missing, whatever the pull policy says."""


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
class Update:
    """Hold what is there to other limits."""

    container_id: ContainerId
    limits: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Heal:
    """Write down that an unhealthy container is going to be made again, before anything is done to it.

    Whoever comes after a crash could not tell a run that was ended for this from one that ended by itself.
    """

    container_id: ContainerId
    heals: int
    """How often in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing to do now."""

    settled: bool = True
    """What was asked is there. False: something has to happen by itself first."""
    again: float | None = None
    """Look again in so many seconds, even if nothing was heard."""
    failure: str | None = None
    """Why it will never be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """What a capsule shall have of networks, and what it has."""

    wanted: tuple[Port, ...] = ()
    behind: bool = False
    """Others have been asked for, and are not allotted yet."""
    namespace: str | None = None
    """Of its sandbox; None while that does not run."""
    plugged: Mapping[PortId, str] = field(default_factory=dict)
    """Its ports that are plugged in, be they wanted or not, each with its namespace."""
    forms: Mapping[PortId, Port] = field(default_factory=dict)
    """How this host has plugged them in last, as far as it remembers."""


Step = Prepare | Shelter | Plug | Unplug | Create | Start | Stop | Remove | Pause | Unpause | Update | Heal
Known = Mapping[ContainerId, ContainerStatus]
Seen = Mapping[ContainerId, Observation]
Waited = Mapping[ContainerId, float]


_UNWIRED = Wires()


def next_step(
    spec: CapsuleSpec,
    epoch: int,
    seen: Seen,
    known: Known,
    waited: Waited,
    wires: Wires = _UNWIRED,
    *,
    content: bool = False,
) -> Step | Rest:
    """The one step to take now for a capsule that is assigned to this host under `epoch`.

    `seen` is all that the runtime has of this capsule, `known` what `absorb` made of it, `waited` for how many seconds this host has seen each as it is.
    `content`: what is there is kept as it is made; to change it has turned out to be impossible.
    """
    wanted = set(spec.ids())
    for found in seen.values():
        if found.epoch != epoch or found.container_id not in wanted:
            # Its ports leave a sandbox before it goes.
            leaving = _unplugging(wires) if found.container_id == spec.sandbox else None
            return leaving or Remove(container_id=found.container_id)
    if spec.desired is Desired.DELETED:
        return _ending(spec, seen, wires)
    ahead = _contained(spec, seen, known, waited, content=content)
    if spec.desired is not Desired.STOPPED:
        ahead = _sheltered(spec, seen, waited, ahead) or _wiring(wires) or ahead
    elif isinstance(ahead, Rest):
        ahead = _unplugging(wires) or _unsheltering(spec, seen) or ahead
    if wires.behind and isinstance(ahead, Rest):
        return replace(ahead, settled=False, failure=None)
    return ahead


def _contained(spec: CapsuleSpec, seen: Seen, known: Known, waited: Waited, *, content: bool) -> Step | Rest:
    """The next step of the containers, wherever they are."""
    if spec.desired in _UP:
        for container in spec.init:
            ahead = _initial(spec, _Case.of(container, seen, known, waited))
            if ahead is not None:
                return ahead
    else:
        for container in spec.init:
            ahead = _stopping(spec, container.id, _stage_of(seen, container.id))
            if ahead is not None:
                return ahead
    looks: list[float] = []
    for container in spec.containers:
        match _regular(spec, _Case.of(container, seen, known, waited), content=content):
            case None:
                continue
            case Rest(again=again) if again is not None:
                looks.append(again)
            case ahead:
                return ahead
    return Rest(again=min(looks, default=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time during which the runtime did not answer."""

    began: float
    ended: float | None = None
    """None: it goes on."""


_UP = (Desired.RUNNING, Desired.PAUSED)
_ALIVE = (Stage.RUNNING, Stage.PAUSED)

_SHUTDOWN = 20.0
"""Seconds that a runtime takes at most to end its containers before it goes away itself."""
_REST_OF_SANDBOX = 1.0
"""Seconds before one that has ended is started again, should it end at once whenever it is started."""
_FINEST_CPU = 0.001
"""Cores: what differs by less is the same, in the other's arithmetic."""
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
    fallen = spec.sandbox is not None and spec.desired in _UP and _stage_of(mine, spec.sandbox) not in _ALIVE
    return {
        container.id: _absorbed(
            spec, container, mine.get(container.id), known.get(container.id), outage, unwatched=unwatched, fallen=fallen
        )
        for container in spec.all()
    }


def taken(step: Step, spec: CapsuleSpec, known: Known) -> dict[ContainerId, ContainerStatus]:
    """What is known once a step has succeeded."""
    after = dict(known)
    match step:
        case Start(container_id=started, again=again) if started != spec.sandbox:
            before = known.get(started, ContainerStatus())
            # The run that had ended is history: should the new one vanish before anybody looks, that is no end by itself.
            last = before.observed
            after[started] = replace(
                before,
                observed=last and replace(last, stage=Stage.RUNNING, started_at=None, finished_at=None, exit_code=None),
                restarts=spec.restarts,
                attempts=before.attempts + 1 if again else 0,
                waiting=False,
                interrupted=False,
                healing=False,
            )
        case Prepare(container=container):
            after[container.id] = replace(known.get(container.id, ContainerStatus()), prepared=spec.rebuilds)
        case Heal(container_id=ill, heals=heals):
            after[ill] = replace(known.get(ill, ContainerStatus()), healing=True, heals=heals)
    return after


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One container, and all that bears on it."""

    container: Container
    found: Observation | None
    """None: the runtime has none."""
    status: ContainerStatus
    waited: float

    @classmethod
    def of(cls, container: Container, seen: Seen, known: Known, waited: Waited) -> "_Case":
        return cls(
            container=container,
            found=seen.get(container.id),
            status=known.get(container.id) or ContainerStatus(),
            waited=waited.get(container.id, 0.0),
        )

    @property
    def stage(self) -> Stage:
        return self.found.stage if self.found else Stage.ABSENT


def _stage_of(seen: Seen, container_id: ContainerId) -> Stage:
    found = seen.get(container_id)
    return found.stage if found else Stage.ABSENT


def _sheltered(spec: CapsuleSpec, seen: Seen, waited: Waited, ahead: Step | Rest) -> Step | Rest | None:
    """The way to a sandbox that stands; None when it does, or nobody needs it, as the next step of those inside, `ahead`, tells.

    Whoever is in one that has fallen has lost its network for good.
    """
    sandbox = spec.sandbox
    if sandbox is None:
        return None
    found = seen.get(sandbox)
    inside = [each for each in seen.values() if each.container_id != sandbox]
    at_rest = isinstance(ahead, Rest) and ahead.settled and ahead.again is None
    if spec.desired in _UP and at_rest and not any(each.stage in _ALIVE for each in inside):
        return None  # They have ended for good: what is left of them, such as what they printed, must not go for a network.
    if found is None:
        # Nothing can move from one sandbox into another.
        return Remove(container_id=inside[0].container_id) if inside else Shelter(sandbox=sandbox)
    if found.leaving:
        return Remove(container_id=sandbox)
    match found.stage:
        case Stage.RUNNING:
            return None
        case Stage.PAUSED:
            return Unpause(container_id=sandbox)
        case _ if spec.desired is Desired.CREATED:
            return None
        case Stage.EXITED if waited.get(sandbox, 0.0) < _REST_OF_SANDBOX:
            return Rest(settled=False, again=_REST_OF_SANDBOX - waited.get(sandbox, 0.0))
    for each in inside:
        if each.stage in _ALIVE:
            return _stopping(spec, each.container_id, each.stage)
    return Start(container_id=sandbox)


def _unsheltering(spec: CapsuleSpec, seen: Seen) -> Step | None:
    if spec.sandbox is None or _stage_of(seen, spec.sandbox) not in _ALIVE:
        return None
    return Stop(container_id=spec.sandbox, timeout=0)


def _wiring(wires: Wires) -> Step | None:
    """The way to what is wanted, in a sandbox that runs, and to nothing where there is none."""
    if wires.namespace is None:
        return _unplugging(wires)
    wanted = {port.id for port in wires.wanted}
    for port_id in wires.plugged:
        if port_id not in wanted:
            return Unplug(port_id=port_id)
    for port in wires.wanted:
        if wires.plugged.get(port.id) != wires.namespace or wires.forms.get(port.id) != port:
            return Plug(port=port)
    return None


def _unplugging(wires: Wires) -> Step | None:
    for port_id in wires.plugged:
        return Unplug(port_id=port_id)
    return None


def _absorbed(
    spec: CapsuleSpec,
    container: Container,
    found: Observation | None,
    before: ContainerStatus | None,
    outage: Outage | None,
    *,
    unwatched: bool,
    fallen: bool,
) -> ContainerStatus:
    """`fallen`: its sandbox does not stand."""
    status = before or ContainerStatus()
    if found is None:
        healing = status.healing and spec.desired in _UP
        return replace(status, observed=_lost(status), waiting=False, interrupted=False, healing=healing)
    found = replace(found, health=_condition(found, status.observed))
    if unwatched and _started_again(spec, found, status):
        status = replace(status, attempts=status.attempts + 1)
    # The mark that it was created with tells which start the first run answers, even if nobody lived to say so.
    answered = max(status.restarts, found.restarts) if found.started_at is not None else status.restarts
    interrupted = found.stage is Stage.EXITED and (
        _cut_short(found, status.observed, outage, unwatched=unwatched)
        or _taken_away(found, status.observed)
        or (fallen and _ran(found, status.observed))
        or _ended_for_another(found, status)
        or (status.interrupted and _same_run(found, status.observed))
    )
    return replace(
        status,
        observed=found,
        restarts=answered,
        waiting=found.stage is Stage.EXITED and restart.pause(container.restart, found, status) is not None,
        interrupted=interrupted,
        healing=status.healing and spec.desired in _UP and _still_ill(found, status.observed),
        prepared=status.prepared if spec.outdates(found) else 0,
    )


def _started_again(spec: CapsuleSpec, found: Observation, status: ContainerStatus) -> bool:
    """Whether this is the run that the restart policy wanted after the last one, started by somebody who did not live to say so."""
    last = status.observed
    return (
        last is not None
        and None not in (last.started_at, found.started_at)
        and not _same_run(found, last)
        and (found.restarts, found.rebuilds) == (last.restarts, last.rebuilds)
        and status.restarts == spec.restarts
        and not status.interrupted
    )


def _condition(found: Observation, last: Observation | None) -> Health | None:
    """What its health is. That of a run that is over says nothing; and while all is well, what each check printed is no news."""
    if found.stage not in (Stage.RUNNING, Stage.PAUSED) or found.health is None:
        return None
    if found.health.condition is Condition.HEALTHY and last is not None and last.health is not None:
        if last.health.condition is Condition.HEALTHY:
            return last.health
    return found.health


def _still_ill(found: Observation, last: Observation | None) -> bool:
    """Whether what is being healed is the run that was unhealthy, or not started yet: with the next run it is over."""
    return found.stage is Stage.CREATED or _same_run(found, last)


def _ended_for_another(found: Observation, status: ContainerStatus) -> bool:
    """Whether this host may have ended it to make another one from a new image: that is no end by itself, should the new one never come."""
    return status.prepared > found.rebuilds and _ran(found, status.observed)


def _ran(found: Observation, last: Observation | None) -> bool:
    """Whether this very run was seen alive."""
    return last is not None and last.stage in _ALIVE and _same_run(found, last)


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
    # What seems to have ended before it began has run while the clock was set back: then it began before the outage.
    if found.started_at <= outage.began or found.started_at > found.finished_at:
        return True
    # What began during the outage was started between two that look like one; there only the code tells.
    return found.exit_code == _FOUND_DEAD


def _lost(status: ContainerStatus) -> Observation | None:
    """A run that had ended by itself stays ended when its remains vanish; any other is simply not there."""
    last = status.observed
    if last is None or last.stage is Stage.ABSENT:
        return last
    if last.stage is Stage.EXITED and not status.interrupted:
        return replace(last, stage=Stage.ABSENT)
    return replace(last, stage=Stage.ABSENT, started_at=None, finished_at=None, exit_code=None, pid=None)


def _ending(spec: CapsuleSpec, seen: Seen, wires: Wires) -> Step | Rest:
    for found in seen.values():
        if found.container_id != spec.sandbox:
            grace = _stopping(spec, found.container_id, found.stage) if spec.stop_timeout > 0 else None
            return grace or Remove(container_id=found.container_id)
    leaving = _unplugging(wires)
    if leaving is not None:
        return leaving
    # What is in it goes first.
    return Remove(container_id=spec.sandbox) if spec.sandbox is not None and spec.sandbox in seen else Rest()


def _stopping(spec: CapsuleSpec, container_id: ContainerId, stage: Stage) -> Step | None:
    """The way to a stop; None when it does not run. What is frozen cannot hear that it should end: it is let go first, if it has time."""
    match stage:
        case Stage.PAUSED if spec.stop_timeout > 0:
            return Unpause(container_id=container_id)
        case Stage.RUNNING | Stage.PAUSED:
            return Stop(container_id=container_id, timeout=spec.stop_timeout)
        case _:
            return None


def _initial(spec: CapsuleSpec, case: _Case) -> Step | Rest | None:
    """An init container has to run to a good end, once; None when it has."""
    container, status = case.container, case.status
    last = case.found or status.observed
    if (
        last is not None
        and last.finished_at is not None
        and last.stage in (Stage.EXITED, Stage.ABSENT)
        and last.exit_code == 0
    ):
        return None
    match case.stage:
        case Stage.ABSENT:
            return Create(container=container)
        case Stage.CREATED:
            return Start(container_id=container.id)
        case Stage.PAUSED:
            return Unpause(container_id=container.id)
        case Stage.RUNNING:
            return Rest(settled=False)
        case Stage.EXITED:
            assert case.found is not None
            if status.interrupted or status.restarts < spec.restarts:
                return _anew(case.found)
            pause = restart.pause(_retried(container.restart), case.found, status)
            if pause is None:
                return Rest(
                    failure=f"The init container {container.name} ended with exit code {case.found.exit_code}; the others were not started."
                )
            if pause <= case.waited:
                return _anew(case.found, again=True)
            return Rest(settled=False, again=pause - case.waited)


def _retried(policy: RestartPolicy | None) -> RestartPolicy | None:
    """An init container that ended well is done, whatever the policy of the capsule says."""
    if policy is not None and policy.name in (RestartName.ALWAYS, RestartName.UNLESS_STOPPED):
        return RestartPolicy(name=RestartName.ON_FAILURE)
    return policy


def _regular(spec: CapsuleSpec, case: _Case, *, content: bool) -> Step | Rest | None:
    found = case.found
    outdated = found is not None and spec.outdates(found)
    if outdated and not content and case.status.prepared == spec.rebuilds:
        return _stopping(spec, case.container.id, case.stage) or Remove(container_id=case.container.id)
    # The fresh start that comes with a rebuild is meant for the new one.
    ahead = _as_asked(spec, case, stale=case.status.restarts < spec.restarts and not outdated)
    if found is None or content or found.leaving or not isinstance(ahead, Rest | None):
        return ahead
    if outdated:
        # Nothing is lost before the new one can be made.
        return Prepare(container=case.container)
    limits = case.container.limits
    return Update(container_id=found.container_id, limits=limits) if _differ(found.limits, limits) else ahead


def _differ(there: Resources | None, asked: Resources) -> bool:
    return there is not None and (there.memory != asked.memory or abs(there.cpu - asked.cpu) >= _FINEST_CPU)


def _as_asked(spec: CapsuleSpec, case: _Case, *, stale: bool) -> Step | Rest | None:
    """`stale`: a fresh start has been asked for that has not happened."""
    match spec.desired:
        case Desired.CREATED if case.stage is Stage.ABSENT:
            return _made(spec, case)
        case Desired.CREATED | Desired.STOPPED:
            # What was lost while it was stopped is made again by the next start.
            return _stopping(spec, case.container.id, case.stage)
        case _ if case.status.healing and case.stage in (*_ALIVE, Stage.EXITED):
            return _stopping(spec, case.container.id, case.stage) or Remove(container_id=case.container.id)
        case _:
            return _running(spec, case, stale=stale)


def _made(spec: CapsuleSpec, case: _Case) -> Step:
    at_hand = case.status.healing or 0 < spec.rebuilds == case.status.prepared
    return Create(container=case.container, at_hand=at_hand)


def _running(spec: CapsuleSpec, case: _Case, *, stale: bool) -> Step | Rest | None:
    container, status = case.container, case.status
    match case.stage:
        case Stage.ABSENT:
            over = not stale and not status.healing and _over(container, status)
            return None if over else _made(spec, case)
        case Stage.CREATED:
            return Start(container_id=container.id)
        case Stage.PAUSED:
            if spec.desired is Desired.PAUSED and not stale:
                return None
            return Unpause(container_id=container.id)
        case Stage.RUNNING:
            if stale:
                return Stop(container_id=container.id, timeout=spec.stop_timeout)
            return Pause(container_id=container.id) if spec.desired is Desired.PAUSED else _watched(spec, case)
        case Stage.EXITED:
            assert case.found is not None
            if stale or status.interrupted:
                return _anew(case.found)
            pause = restart.pause(container.restart, case.found, status)
            if pause is None:
                return None
            return _anew(case.found, again=True) if pause <= case.waited else Rest(again=pause - case.waited)


def _over(container: Container, status: ContainerStatus) -> bool:
    """Whether what is not there any more had ended by itself, for good."""
    last = status.observed
    return last is not None and last.finished_at is not None and restart.pause(container.restart, last, status) is None


def _watched(spec: CapsuleSpec, case: _Case) -> Step | Rest | None:
    """Runs as it should; whether it also does its work."""
    health = case.found.health if case.found else None
    if not spec.auto_heal or health is None or health.condition is not Condition.UNHEALTHY:
        return None
    pause = restart.healing_pause(case.status)
    if case.waited < pause:
        return Rest(again=pause - case.waited)
    return Heal(container_id=case.container.id, heals=restart.heals(case.status, case.waited))


def _anew(found: Observation, *, again: bool = False) -> Step:
    """Start what has ended; out of the way with what can never start again, so that another takes its place."""
    if found.leaving:
        return Remove(container_id=found.container_id)
    return Start(container_id=found.container_id, again=again)
