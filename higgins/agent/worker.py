"""Brings one capsule where it was asked to be, one step at a time, and keeps it there."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from higgins import errors
from higgins.agent.holds import Holds
from higgins.agent.reporter import Reporter
from higgins.aio import race
from higgins.aio.bell import Bell
from higgins.link.messages import Work
from higgins.logic import convergence
from higgins.logic.convergence import Create, Outage, Pause, Remove, Rest, Start, Step, Stop, Unpause
from higgins.model.capsule import CapsuleStatus, Container, ContainerStatus, Desired, Observation, PullPolicy, Stage
from higgins.model.ids import ContainerId
from higgins.protocols.image import ImageSource
from higgins.protocols.runtime import Origin, Pauses, Runtime

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What all workers of a host share."""

    runtime: Runtime
    images: ImageSource
    reporter: Reporter
    clock: Callable[[], float]
    holds: Holds = field(default_factory=Holds)
    patrol: float = 600.0
    """Seconds after which a worker looks at its capsule though nothing was heard."""


class Worker:
    """One capsule on this host."""

    def __init__(self, work: Work, place: Workplace) -> None:
        self._place = place
        self._bell = Bell()
        self._changed = Bell()
        self.outage: Outage | None = None
        """The last time that the runtime was away, as far as this host remembers."""
        self._work: Work
        self._acting = work
        """What the present step is taken for; newer work may have come since."""
        self._known: dict[ContainerId, ContainerStatus]
        self._unwatched: bool
        """Nobody has looked since that was written down."""
        self._reported: CapsuleStatus
        self._pause: float
        self._begin(work)

    @property
    def work(self) -> Work:
        """The newest that the control plane has said of this capsule."""
        return self._work

    def assign(self, work: Work) -> None:
        """Newer work, or the same again. What is older than what is known is ignored."""
        mine = (self._work.epoch, self._work.spec.generation)
        theirs = (work.epoch, work.spec.generation)
        if theirs < mine:
            return
        if work.epoch > self._work.epoch:
            self._begin(work)
        self._work = work
        if theirs > mine:
            self.retry()
        elif work.status != self._reported:
            # The control plane knows something else than it was told last: tell it again.
            self._tell(self._reported)

    def hint(self) -> None:
        """Something may have happened to one of its containers. The pause after a failure goes on: a step that fails hints as well."""
        self._bell.ring()

    def retry(self) -> None:
        """What failed so far may work now."""
        self._pause = _FIRST_PAUSE
        self._changed.ring()
        self._bell.ring()

    def compare(self, there: Mapping[ContainerId, Observation]) -> None:
        """Look again if the runtime shows something else than was seen last."""
        for container in self._work.spec.all():
            status = self._known.get(container.id)
            seen = status.observed if status is not None else None
            found = there.get(container.id)
            if (found.stage if found else Stage.ABSENT) is not (seen.stage if seen else Stage.ABSENT):
                self._bell.ring()

    async def run(self) -> None:
        """Work on the capsule until cancelled."""
        while True:
            try:
                again = await self._visit()
            except errors.Failure as failure:
                await self._changed.wait(self._failed(failure))
            except Exception as error:
                log.exception("%s: an unforeseen failure", self._work.capsule_id)
                unforeseen = f"The host failed in a way that was not foreseen: {type(error).__name__}: {error}"
                await self._changed.wait(self._failed(errors.Broken(unforeseen)))
            else:
                await self._bell.wait(self._place.patrol if again is None else again)

    def _begin(self, work: Work) -> None:
        """Carry on from what the control plane has stored."""
        self._work = work
        self._known = dict(work.status.containers)
        self._unwatched = True
        self._reported = work.status
        self._pause = _FIRST_PAUSE
        self._bell.ring()

    async def _visit(self) -> float | None:
        """Take steps until there is nothing to do now; returns in how many seconds there may be."""
        place = self._place
        while True:
            self._changed.hush()
            work = self._acting = self._work
            seen = self._as_meant(await place.runtime.list([container.id for container in work.spec.all()]))
            if work is not self._work:
                continue
            self._known = convergence.absorb(
                work.spec, work.epoch, seen, self._known, self.outage, unwatched=self._unwatched
            )
            self._unwatched = False
            if self._has_failed(work):
                self._report(work, settled=True, reason=self._reported.reason, failed=True)
                return None
            now = place.clock()
            match convergence.next_step(work.spec, work.epoch, seen, self._known, now):
                case Rest(settled=settled, until=until, failure=failure):
                    self._pause = _FIRST_PAUSE
                    self._report(work, settled=settled, reason=failure, failed=failure is not None)
                    return None if until is None else max(0.0, until - now)
                case step:
                    if await self._take(step, work) and work.epoch == self._work.epoch:
                        self._known = convergence.taken(step, work.spec, self._known)

    def _as_meant(self, seen: Mapping[ContainerId, Observation]) -> Mapping[ContainerId, Observation]:
        """What the runtime freezes for a moment runs, for everybody else: neither is it shown as paused, nor let go in the middle."""
        if self._work.spec.desired is Desired.PAUSED:
            return seen
        return {
            container_id: replace(found, stage=Stage.RUNNING)
            if found.stage is Stage.PAUSED and container_id in self._place.holds
            else found
            for container_id, found in seen.items()
        }

    def _has_failed(self, work: Work) -> bool:
        """What failed for good is not tried again for the same generation, not even by an agent that has just started."""
        return self._reported.failed and self._reported.generation == work.spec.generation

    def _has_settled(self, work: Work) -> bool:
        """Nobody waits for this generation any more: what is repaired from now on has no deadline, and is not shown as under way."""
        return self._reported.settled and self._reported.generation == work.spec.generation

    async def _take(self, step: Step, work: Work) -> bool:
        """Do it; False if newer work came in between and the step was left."""
        runtime = self._place.runtime
        log.info("%s: %s", work.capsule_id, _worded(step))
        match step:
            case Create(container=container):
                return await self._create(container, work)
            case Start(container_id=container_id):
                await runtime.start(container_id)
            case Stop(container_id=container_id, timeout=timeout):
                # Whoever wants it gone at once need not wait until the time that somebody else gave it is over.
                return await self._unless_changed(runtime.stop(container_id, timeout))
            case Remove(container_id=container_id):
                await runtime.remove(container_id)
            case Pause(container_id=container_id):
                await self._pauses().pause(container_id)
            case Unpause(container_id=container_id):
                await self._pauses().unpause(container_id)
        return True

    def _pauses(self) -> Pauses:
        runtime = self._place.runtime
        if not isinstance(runtime, Pauses):
            raise errors.Invalid("The runtime of this host cannot pause containers.")
        return runtime

    async def _create(self, container: Container, work: Work) -> bool:
        policy = container.pull or PullPolicy.IF_NOT_PRESENT
        if policy is PullPolicy.ALWAYS and not await self._fetch(container, work):
            return False
        origin = Origin(
            capsule_id=work.capsule_id,
            project_id=work.project_id,
            epoch=work.epoch,
            restarts=work.spec.restarts,
            rebuilds=work.spec.rebuilds,
            handler=work.spec.runtime,
        )
        # Made first and fetched only if that fails: the image is there in most cases, and asking costs a call.
        try:
            await self._place.runtime.create(origin, container)
        except errors.NotFound as missing:
            if missing.name != "image-not-found":
                raise
            if policy is PullPolicy.NEVER:
                raise errors.NotFound(
                    f"Image {container.image} is not on the host, and its pull policy is never; use another policy, or put it there.",
                    code="image-not-found",
                ) from missing
            if policy is PullPolicy.ALWAYS:
                raise errors.Unavailable(f"Image {container.image} vanished right after it was fetched.") from missing
            if not await self._fetch(container, work):
                return False
            await self._place.runtime.create(origin, container)
        return True

    async def _fetch(self, container: Container, work: Work) -> bool:
        self._report(
            work,
            settled=self._has_settled(work),
            reason=self._reported.reason,
            activity=f"Pulling image {container.image}",
        )
        return await self._unless_changed(self._place.images.fetch(container.image))

    async def _unless_changed(self, effect: Coroutine[Any, Any, object]) -> bool:
        """Wait for an effect, but leave it when newer work arrives; whether it came to its end."""
        return await race.unless(self._changed, effect)

    def _failed(self, failure: errors.Failure) -> float:
        """Report it; returns in how many seconds to try again at the latest."""
        work = self._acting
        if work is not self._work:
            # It was about something that is not wanted any more, and says nothing about what is.
            log.info("%s: %s; meanwhile something else is wanted", work.capsule_id, failure.message)
            return 0.0
        if failure.permanent:
            log.warning("%s: %s", work.capsule_id, failure.message)
            self._report(work, settled=True, reason=failure.message, failed=True)
            return _FIRST_PAUSE  # Then it only looks at what there is now.
        if self.outage is not None and self.outage.ended is None:
            self._known = self._judged_again(work, self.outage)
        self._report(work, settled=self._has_settled(work), reason=failure.message)
        log.warning("%s: %s; trying again in %.1f s", work.capsule_id, failure.message, self._pause)
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE)
        return pause

    def _judged_again(self, work: Work, outage: Outage) -> dict[ContainerId, ContainerStatus]:
        """What was seen last, in the light of an outage that began after it: what ended just before did not end by itself, and will be started again."""
        last = {known.observed.container_id: known.observed for known in self._known.values() if known.observed}
        there = {container_id: seen for container_id, seen in last.items() if seen.stage is not Stage.ABSENT}
        return convergence.absorb(work.spec, work.epoch, there, self._known, outage)

    def _report(
        self, work: Work, *, settled: bool, reason: str | None, failed: bool = False, activity: str | None = None
    ) -> None:
        status = CapsuleStatus(
            generation=work.spec.generation if settled else self._reported.generation,
            settled=settled,
            containers=dict(self._known),
            reason=reason,
            failed=failed,
            activity=activity,
        )
        # What belongs to an earlier assignment would be taken for news of this one.
        if work.epoch == self._work.epoch and status != self._reported:
            self._tell(status)

    def _tell(self, status: CapsuleStatus) -> None:
        self._reported = status
        self._place.reporter.report(self._work.capsule_id, self._work.epoch, status)


def _worded(step: Step) -> str:
    match step:
        case Create(container=container):
            return f"create {container.id} from {container.image}"
        case Stop(container_id=container_id, timeout=timeout):
            return f"stop {container_id} within {timeout} s"
        case _:
            return f"{type(step).__name__.lower()} {step.container_id}"
