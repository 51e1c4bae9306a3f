"""The words a user reads about a capsule, computed from its three sides."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from higgins.model.capsule import (
    Capsule,
    CapsuleSpec,
    Condition,
    Container,
    ContainerStatus,
    Desired,
    Former,
    Health,
    Kind,
    Progress,
    Stage,
)


class Status(StrEnum):
    """The status words of the Containers API."""

    CREATING = "Creating"
    CREATED = "Created"
    RUNNING = "Running"
    STOPPED = "Stopped"
    PAUSED = "Paused"
    ERROR = "Error"
    UNKNOWN = "Unknown"
    RESTARTING = "Restarting"
    REBUILDING = "Rebuilding"
    DELETING = "Deleting"


_AT_LAST = {
    Desired.CREATED: Status.CREATED,
    Desired.RUNNING: Status.RUNNING,
    Desired.STOPPED: Status.STOPPED,
    Desired.PAUSED: Status.PAUSED,
}
"""What is to be read once all is done that was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What is said about a capsule."""

    status: Status
    reason: str | None = None
    task: str | None = None
    """What is being done to it just now: the API's task_state."""


def describe(capsule: Capsule) -> Word:
    """The word for a capsule as its rows stand."""
    spec, assignment, status = capsule.spec, capsule.assignment, capsule.status
    settled = capsule.settled
    if assignment.given_up is not None and assignment.given_up.generation == spec.generation and not settled:
        return Word(status=Status.ERROR, reason=assignment.given_up.reason)
    if spec.desired is Desired.DELETED:
        if settled and status.failed:
            return Word(status=Status.ERROR, reason=status.reason)
        return Word(status=Status.DELETING, task="container_deleting", reason=status.reason)
    if assignment.host_lost:
        return Word(
            status=Status.UNKNOWN,
            # Without its name: which host it is, is for operators only.
            reason="Its host has not been heard of; the state is unknown until it returns.",
        )
    if not settled:
        return _pending(capsule)
    if status.failed and not status.kept:
        return Word(status=Status.ERROR, reason=status.reason)
    return Word(status=_resting(capsule), reason=_reason(capsule))


def _pending(capsule: Capsule) -> Word:
    spec, status = capsule.spec, capsule.status
    now = _resting(capsule)
    if now is Status.CREATING:
        reason = status.reason or _initial_trouble(capsule)
        return Word(status=Status.CREATING, task="container_creating", reason=reason)
    if any(known.observed and spec.outdates(known.observed) for known in _known(capsule)):
        return Word(status=Status.REBUILDING, task="container_rebuilding", reason=status.reason)
    match spec.desired:
        case desired if spec.former is not None and now is _AT_LAST.get(desired) and not _stale(capsule):
            task = _rewiring(spec, spec.former)
        case Desired.CREATED:
            task = "container_creating"
        case Desired.STOPPED:
            task = "container_stopping"
        case Desired.PAUSED:
            task = "container_pausing"
        case Desired.RUNNING if now is Status.PAUSED:
            task = "container_unpausing"
        case Desired.RUNNING if now is Status.RUNNING and _stale(capsule):
            return Word(status=Status.RESTARTING, task="container_rebooting", reason=status.reason)
        case _:
            task = "container_starting"
    return Word(status=now, task=task, reason=status.reason or spec.refused)


def _rewiring(spec: CapsuleSpec, former: Former) -> str | None:
    """The task while it runs as it did. Where only its limits are still to be changed, the API has no word for that."""
    for adding, removing, now, before in (
        ("network_attaching", "network_detaching", spec.networks, former.networks),
        ("sg_adding", "sg_removing", spec.security_groups, former.security_groups),
    ):
        if now != before:
            return adding if {*now} - {*before} else removing
    return None


def _stale(capsule: Capsule) -> bool:
    """A fresh start has been asked for, and has not happened."""
    return any(known.restarts < capsule.spec.restarts for known in _known(capsule))


def _resting(capsule: Capsule) -> Status:
    """From what the host saw last, whatever has been asked since."""
    spec = capsule.spec
    words = {_seen_as(spec, capsule.status.containers.get(one.id)) for one in spec.containers}
    if len(words) > 1 and Status.CREATED in words:
        return Status.CREATING  # Others are further: it is about to be started.
    return next(word for word in _TOGETHER if word in words)


_TOGETHER = (Status.CREATING, Status.RESTARTING, Status.RUNNING, Status.PAUSED, Status.CREATED, Status.STOPPED)
"""Where the containers of a capsule are this and that, the first of these stands for all."""


def _seen_as(spec: CapsuleSpec, known: ContainerStatus | None) -> Status:
    """The word for one container, from what the host saw of it last."""
    if known is None or known.observed is None:
        return Status.CREATING
    up = spec.desired is Desired.RUNNING
    if up and known.healing:
        return Status.RESTARTING
    match known.observed.stage:
        case Stage.PAUSED:
            return Status.PAUSED
        case Stage.RUNNING:
            return Status.RUNNING
        case Stage.EXITED:
            return Status.RESTARTING if up and (known.waiting or known.interrupted) else Status.STOPPED
        case _ if known.observed.finished_at or spec.desired is Desired.STOPPED:
            return Status.STOPPED
        case Stage.ABSENT if spec.desired in (Desired.RUNNING, Desired.PAUSED):
            return Status.RESTARTING  # Lost from its runtime: it is being made again.
        case _:
            return Status.CREATED


def describe_one(capsule: Capsule, one: Container) -> Word:
    """The word for one container of a capsule of several."""
    whole = describe(capsule)
    if whole.status in (Status.DELETING, Status.UNKNOWN):
        return whole
    known = capsule.status.containers.get(one.id)
    if known is None or known.observed is None:
        # Whatever keeps the capsule from coming about keeps this one too.
        return whole if whole.status is Status.ERROR else Word(status=Status.CREATING, task="container_creating")
    status = _seen_as(capsule.spec, known)
    if (
        status is Status.STOPPED
        and whole.status is Status.ERROR
        and one in capsule.spec.init
        and not _ended_well(known)
    ):
        return Word(status=Status.ERROR, reason=whole.reason)
    return Word(status=status, reason=_ending(known))


def _known(capsule: Capsule) -> Sequence[ContainerStatus]:
    return [capsule.status.containers[one.id] for one in capsule.spec.containers if one.id in capsule.status.containers]


def _reason(capsule: Capsule) -> str | None:
    """Why it ended, where the user would wonder."""
    if capsule.kind is Kind.CAPSULE:
        told = _endings(capsule)
    else:
        told = next((why for known in _known(capsule) if (why := _ending(known))), None)
    return told or capsule.status.reason or capsule.spec.refused


def _ending(known: ContainerStatus) -> str | None:
    seen = known.observed
    if seen is None:
        return None
    if seen.oom_killed and seen.stage is Stage.EXITED:
        return "Out of memory: the container reached its memory limit and was killed. Give it more memory, or let it use less."
    if seen.stage is Stage.ABSENT and seen.finished_at is not None:
        return "The container had ended and was then removed from its runtime from outside; starting it makes it again."
    return None


def _endings(capsule: Capsule) -> str | None:
    """Which containers of a capsule do not run, and how they ended."""
    told = []
    for one in capsule.spec.containers:
        known = capsule.status.containers.get(one.id)
        if known is None or known.observed is None or _seen_as(capsule.spec, known) not in _OVER:
            continue
        why = "was killed: out of memory" if known.observed.oom_killed else "has ended"
        code = f" with exit code {known.observed.exit_code}" if known.observed.exit_code is not None else ""
        told.append(f"{one.name} {why}{code}{' and is started again' if known.waiting else ''}.")
    return " ".join(told) or None


_OVER = (Status.STOPPED, Status.RESTARTING)


def _ended_well(known: ContainerStatus) -> bool:
    return known.observed is not None and known.observed.exit_code == 0


def _initial_trouble(capsule: Capsule) -> str | None:
    """That the others have to wait because what has to run before them does not end well."""
    for one in capsule.spec.init:
        known = capsule.status.containers.get(one.id)
        if known is not None and known.observed is not None and known.waiting and not _ended_well(known):
            return (
                f"The init container {one.name} ended with exit code {known.observed.exit_code} and is started again."
            )
    return None


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence in which an age may stand: the only thing about a capsule that changes without anybody writing it down."""

    text: str
    since: float | None = None
    """What the age is counted from; None: there is none, and the text is all."""
    end: str = ""

    def at(self, now: float) -> str:
        return self.text if self.since is None else f"{self.text}{age(int(now - self.since))}{self.end}"


def detail(capsule: Capsule, now: float) -> str | None:
    """The sentence about the state, as it reads now."""
    said = phrase(capsule)
    return said.at(now) if said is not None else None


def phrase(capsule: Capsule) -> Phrase | None:
    """The sentence about the state that `docker ps` users know: how it ended, how long it has been so, how far its image is."""
    if capsule.status.progress is not None:
        return Phrase(_fetching(capsule.status.progress))
    known = _known(capsule)
    seen = known[0].observed if known else None
    activity = Phrase(capsule.status.activity) if capsule.status.activity is not None else None
    if seen is None:
        return activity
    match seen.stage:
        case Stage.PAUSED:
            return _aged("Up ", seen.started_at, " (paused)")
        case Stage.RUNNING:
            return _aged("Up ", seen.started_at, _condition(seen.health))
        case Stage.EXITED:
            return _aged(f"Exited({seen.exit_code}) ", seen.finished_at, " ago (error)" if seen.error else " ago")
        case Stage.CREATED:
            return activity if activity and activity.text else Phrase("Created")
        case Stage.ABSENT:
            return activity


def _aged(text: str, since: float | None, end: str) -> Phrase:
    return Phrase(text, since, end) if since is not None else Phrase(f"{text}0 seconds{end}")


def _condition(health: Health | None) -> str:
    match health:
        case None:
            return ""
        case Health(condition=Condition.STARTING):
            return " (health: starting)"
        case checked:
            return f" ({checked.condition})"


def _fetching(progress: Progress) -> str:
    layers = f"{progress.layers_done} of {progress.layers} layers" if progress.layers else "its image"
    amount = f", {_megabytes(progress.done)} of {_megabytes(progress.size)} MB" if progress.size else ""
    return f"Pulling {layers}{amount}"


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:.1f}"


def age(seconds: int) -> str:
    """Rounded down to the largest unit of which it has one; nothing is younger than 0 seconds."""
    seconds = max(0, seconds)
    if seconds >= 86400:
        return f"{seconds // 86400} days"
    if seconds >= 3600:
        return f"{seconds // 3600} hours"
    if seconds >= 60:
        return f"{seconds // 60} mins"
    return f"{seconds} seconds"
