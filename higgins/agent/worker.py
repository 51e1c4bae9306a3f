"""Brings one capsule where it was asked to be, one step at a time, and keeps it there."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from higgins import errors
from higgins.agent.holds import Holds
from higgins.agent.mounts import Mounts
from higgins.agent.orders import Supply, order
from higgins.agent.reporter import Reporter
from higgins.agent.shelf import Shelf
from higgins.agent.story import Story
from higgins.aio import race
from higgins.aio.bell import Bell
from higgins.aio.beside import beside
from higgins.link.messages import Work
from higgins.logic import convergence
from higgins.logic.convergence import (
    Create,
    Heal,
    Outage,
    Pause,
    Plug,
    Prepare,
    Remove,
    Rest,
    Shelter,
    Start,
    Step,
    Stop,
    Unpause,
    Unplug,
    Update,
    Wires,
)
from higgins.model.capsule import (
    CapsuleStatus,
    Container,
    ContainerStatus,
    Desired,
    Observation,
    Progress,
    PullPolicy,
    Resources,
    Stage,
)
from higgins.model.ids import ContainerId, PortId
from higgins.model.network import Port
from higgins.protocols.network import NetworkPlug
from higgins.protocols.runtime import Origin, Pauses, Runtime, Sandboxes, Updates

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_PROGRESS = 0.5
"""Seconds between two reports on an image that is being fetched."""
_HEARD = 5.0
"""Seconds in which the control plane should have written down what is about to be done. While it is away, this is done all the same."""
_UNWELL = "It stays unhealthy; it is being made again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What all workers of a host share."""

    runtime: Runtime
    shelf: Shelf
    reporter: Reporter
    clock: Callable[[], float]
    """The time of day; whatever waits goes by `steady`."""
    steady: Callable[[], float] = time.monotonic
    holds: Holds = field(default_factory=Holds)
    mounts: Mounts = field(default_factory=Mounts)
    plug: NetworkPlug | None = None
    """None: this host has no networks but what its runtime gives."""
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
        self._sandbox: Observation | None = None
        """As last seen."""
        self._plugged: dict[PortId, str] = {}
        """Its ports that are plugged in, as far as is known, each with its namespace."""
        self._unplumbed = True
        """They have to be looked for."""
        self._forms: dict[PortId, Port] = {}
        """How each was plugged in last. Whoever has just started plugs them in once more."""
        self._unwatched: bool
        """Nobody has looked since that was written down."""
        self._reported: CapsuleStatus
        self._pause: float
        self._taking: Step | None = None
        self._since: dict[ContainerId, tuple[object, float]] = {}
        """Since when each has been seen as it is."""
        self._story: Story
        self._fetching: str | None = None
        self._progress: Progress | None = None
        self._begin(work)

    @property
    def work(self) -> Work:
        """The newest that the control plane has said of this capsule."""
        return self._work

    def assign(self, work: Work) -> None:
        """Newer work, or the same again. What is older than what is known is ignored."""
        mine, theirs = _version(self._work), _version(work)
        if theirs < mine:
            return
        if work.epoch > self._work.epoch:
            self._begin(work)
        self._work = work
        if theirs > mine:
            self.retry()
        elif work.status != replace(self._reported, steps=work.status.steps):
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

    def plumb(self) -> None:
        """Look at what is plugged in: somebody else has had their hands on it."""
        self._unplumbed = True
        self._bell.ring()

    def compare(self, there: Mapping[ContainerId, Observation], plugged: Mapping[PortId, str] | None = None) -> None:
        """Look again if the runtime, or what is plugged in on this host, is something else than was seen last."""
        known = {container_id: status.observed for container_id, status in self._known.items()}
        if self._work.spec.sandbox is not None:
            known[self._work.spec.sandbox] = self._sandbox
        if any(_stage(there.get(each)) is not _stage(known.get(each)) for each in self._work.spec.ids()):
            self._bell.ring()
        if plugged is not None and any(plugged.get(each) != self._plugged.get(each) for each in self._ports()):
            self.plumb()

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
        self._unwatched = self._unplumbed = True
        self._reported = work.status
        self._story = Story(self._place.clock, work.status.acting, work.status.steps)
        self._pause = _FIRST_PAUSE
        self._bell.ring()

    async def _visit(self) -> float | None:
        """Take steps until there is nothing to do now; returns in how many seconds there may be."""
        last: Step | None = None
        while True:
            self._changed.hush()
            work = self._acting = self._work
            self._taking = None
            there = await self._place.runtime.list(list(work.spec.ids()))
            seen = self._as_meant(there)
            wires = await self._wires(work, seen)
            if work is not self._work:
                continue
            self._sandbox = seen.get(work.spec.sandbox) if work.spec.sandbox is not None else None
            self._known = convergence.absorb(
                work.spec, work.epoch, seen, self._known, self.outage, unwatched=self._unwatched
            )
            self._unwatched = False
            self._turn_to(work)
            kept = self._has_failed(work) and self._reported.kept
            if self._has_failed(work) and not kept:
                self._report(work, settled=True, reason=self._reported.reason, failed=True)
                return None
            waited = self._waited(seen)
            match convergence.next_step(work.spec, work.epoch, seen, self._known, waited, wires, content=kept):
                case Rest(settled=settled, again=again, failure=failure):
                    self._pause = _FIRST_PAUSE
                    reason = self._reported.reason if kept and failure is None else failure
                    self._report(
                        work,
                        settled=settled,
                        reason=reason,
                        failed=kept or failure is not None,
                        kept=kept and failure is None,
                    )
                    return again
                case step:
                    self._taking = step
                    if isinstance(step, Update) and step == last:
                        raise errors.Unavailable("The runtime has not taken the new limits on.")
                    last = step
                    if await self._take(step, work, wires.namespace) and work.epoch == self._work.epoch:
                        self._known = convergence.taken(step, work.spec, self._known)
                        if isinstance(step, Prepare | Heal):
                            await self._write_down(work, _UNWELL if isinstance(step, Heal) else None)

    def _turn_to(self, work: Work) -> None:
        if self._story.generation != work.spec.generation:
            self._story = Story(self._place.clock, work.spec.generation)
        self._story.over = self._has_settled(work)

    async def _wires(self, work: Work, seen: Mapping[ContainerId, Observation]) -> Wires:
        """What it shall have of networks, and what it has."""
        plug, sandbox = self._place.plug, work.spec.sandbox
        if sandbox is None:
            return Wires()
        behind = work.attachments != work.spec.attachments
        found = seen.get(sandbox)
        # What cannot be plugged in is told when it is tried.
        namespace = "" if found is not None and found.stage in (Stage.RUNNING, Stage.PAUSED) else None
        if plug is None:
            return Wires(wanted=work.ports, behind=behind, namespace=namespace)
        if namespace is not None and found is not None and found.pid is not None:
            namespace = plug.namespace(found.pid)
        if self._plugged and _life(found) != _life(self._sandbox):
            # Its namespace may have the number of the one before, and nothing in it.
            self._unplumbed = True
        if self._unplumbed:
            self._unplumbed = False
            with self._doubting():
                there = await plug.list()
            ours = self._ports()
            # One that is plugged in only in part may be anybody's.
            self._plugged = {
                each: where for each, where in there.items() if each in ours or (where and where == namespace)
            }
        return Wires(
            wanted=work.ports,
            behind=behind,
            namespace=namespace,
            plugged=dict(self._plugged),
            forms=self._forms,
        )

    def _ports(self) -> Set[PortId]:
        """Those that it shall have, or has had as far as is known."""
        return {port.id for port in self._work.ports} | self._forms.keys() | self._plugged.keys()

    def _waited(self, seen: Mapping[ContainerId, Observation]) -> Mapping[ContainerId, float]:
        now = self._place.steady()
        before = self._since
        self._since = {}
        for container_id, found in seen.items():
            state = (found.stage, found.started_at, found.finished_at)
            known = before.get(container_id)
            self._since[container_id] = known if known is not None and known[0] == state else (state, now)
        return {container_id: now - began for container_id, (_, began) in self._since.items()}

    async def _write_down(self, work: Work, reason: str | None) -> None:
        """Have the control plane know of what is about to be done, should this agent not live to say it."""
        self._report(work, settled=self._has_settled(work), reason=reason)
        await self._unless_changed(self._place.reporter.until_heard(work.capsule_id, _HEARD))

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

    async def _take(self, step: Step, work: Work, namespace: str | None) -> bool:
        """Do it; `namespace` is that of its sandbox. False if newer work came in between and the step was left."""
        runtime = self._place.runtime
        log.info("%s: %s", work.capsule_id, _worded(step))
        match step:
            case Heal():
                return True
            case Prepare(container=container):
                with self._story.telling("prepare"):
                    return await self._ready(container, work) is not None
            case Create(container=container, at_hand=at_hand):
                return await self._create(container, work, at_hand=at_hand)
            case Shelter(sandbox=sandbox):
                with self._story.telling("sandbox"):
                    await self._shelter(sandbox, work)
                return True
        with self._story.telling(type(step).__name__.lower()):
            match step:
                case Plug(port=port):
                    await self._plug(port, work, namespace or "")
                case Unplug(port_id=port_id):
                    await self._unplug(port_id)
                case Start(container_id=container_id):
                    for container in work.spec.all():
                        if container.id == container_id:
                            await self._place.mounts.ready(work, container)
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
                case Update(container_id=container_id, limits=limits):
                    await self._update(container_id, limits)
        return True

    async def _shelter(self, sandbox: ContainerId, work: Work) -> None:
        origin, asked = _origin(work), work.spec
        hostname = asked.containers[0].hostname if origin.alone else None
        # What has been attached to networks has no other, even while it is detached from all.
        bare = origin.alone or bool(asked.networks) or asked.attachments > 0
        await self._sandboxes().create_sandbox(origin, sandbox, hostname=hostname, bare=bare)

    async def _plug(self, port: Port, work: Work, namespace: str) -> None:
        plug, sandbox = self._place.plug, self._sandbox
        if plug is None:
            # What runs already does so without; it is attached anew once its host is able to again.
            remedy = errors.Unavailable if self._has_settled(work) else errors.Invalid
            raise remedy(
                "This host cannot attach containers to networks: its agent needs root and the programs for it, and [agent] networks must not be none."
            )
        if sandbox is None or sandbox.pid is None:
            raise errors.Unavailable(
                "The sandbox does not run any more, or not where its agent could attach it to networks: then set [agent] networks to none there."
            )
        with self._doubting():
            await plug.plug(port, sandbox.pid)
            if port == work.ports[0] and port.addresses:
                await self._sandboxes().introduce(sandbox.container_id, port.addresses[0])
        self._plugged[port.id], self._forms[port.id] = namespace, port

    async def _unplug(self, port_id: PortId) -> None:
        if self._place.plug is not None:
            with self._doubting():
                await self._place.plug.unplug(port_id)
        self._plugged.pop(port_id, None)
        self._forms.pop(port_id, None)
        # Another may be the first by now, which the host name leads to.
        for first in self._work.ports[:1]:
            self._forms.pop(first.id, None)

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        """What fails or is left may have happened all the same: the next look tells."""
        try:
            yield
        except BaseException:
            self._unplumbed = True
            raise

    def _sandboxes(self) -> Sandboxes:
        runtime = self._place.runtime
        if not isinstance(runtime, Sandboxes):
            raise errors.Invalid("The runtime of this host has no sandboxes for several containers.")
        return runtime

    def _pauses(self) -> Pauses:
        runtime = self._place.runtime
        if not isinstance(runtime, Pauses):
            raise errors.Invalid("The runtime of this host cannot pause containers.")
        return runtime

    async def _update(self, container_id: ContainerId, limits: Resources) -> None:
        runtime = self._place.runtime
        if not isinstance(runtime, Updates):
            raise errors.Invalid("The runtime of this host cannot change the limits of a container.")
        await runtime.update(container_id, limits)

    async def _create(self, container: Container, work: Work, *, at_hand: bool) -> bool:
        supply = await self._ready(container, work, at_hand=at_hand)
        if supply is None:
            return False
        wanted = order(container, work.project_id, work.logins)
        with self._story.telling("create"):
            try:
                bound = await self._place.mounts.ready(work, container)
                await self._place.runtime.create(_origin(work), replace(container, image=wanted.image), bound)
            except errors.NotFound as missing:
                if missing.name != "image-not-found":
                    raise
                raise errors.Unavailable(
                    f"Image {container.image} vanished right after it was looked for."
                ) from missing
            if not await self._place.shelf.stands(wanted, supply):
                await self._place.runtime.remove(container.id)
                raise errors.Unavailable(f"Image {container.image} was replaced while a container was made of it.")
        return True

    async def _ready(self, container: Container, work: Work, *, at_hand: bool = False) -> Supply | None:
        """The image is here, and its project may have it; None if newer work came in between. `at_hand`: any that is here will do."""
        wanted = order(container, work.project_id, work.logins)
        if at_hand and wanted.policy is PullPolicy.ALWAYS:
            wanted = replace(wanted, policy=PullPolicy.IF_NOT_PRESENT)
        supply: Supply | None = None

        async def attempt() -> None:
            nonlocal supply
            self._fetching, self._progress = container.image, None
            async with beside() as start:
                with ExitStack() as pull:
                    shown = Bell()

                    def tell(progress: Progress) -> None:
                        if self._progress is None:
                            pull.enter_context(self._story.telling("pull"))
                            start(self._show_progress(work, shown))
                        self._progress = progress
                        shown.ring()

                    supply = await self._place.shelf.ready(wanted, tell)

        try:
            arrived = await self._unless_changed(attempt())
        finally:
            self._fetching = self._progress = None
        return supply if arrived else None

    async def _show_progress(self, work: Work, shown: Bell) -> None:
        while True:
            await shown.wait(None)
            self._report(work, settled=self._has_settled(work), reason=self._reported.reason)
            await asyncio.sleep(_PROGRESS)

    async def _unless_changed(self, effect: Coroutine[Any, Any, object]) -> bool:
        """Wait for an effect, but leave it when newer work arrives; whether it came to its end."""
        return await race.unless(self._changed, effect)

    def _failed(self, failure: errors.Failure) -> float:
        """Report it; returns in how many seconds to try again at the latest."""
        work = self._acting
        if _version(work) != _version(self._work):
            # It was about something that is not wanted any more, and says nothing about what is.
            log.info("%s: %s; meanwhile something else is wanted", work.capsule_id, failure.message)
            return 0.0
        if failure.permanent:
            log.warning("%s: %s", work.capsule_id, failure.message)
            # To change what is there has failed: what is there has not.
            kept = isinstance(self._taking, Prepare | Update)
            self._report(work, settled=True, reason=failure.message, failed=True, kept=kept)
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
        self, work: Work, *, settled: bool, reason: str | None, failed: bool = False, kept: bool = False
    ) -> None:
        status = CapsuleStatus(
            generation=work.spec.generation if settled else self._reported.generation,
            settled=settled,
            containers=dict(self._known),
            reason=reason,
            failed=failed,
            kept=kept,
            activity=f"Pulling image {self._fetching}" if self._progress is not None else None,
            progress=self._progress,
            acting=self._story.generation,
            steps=self._story.steps,
        )
        # What belongs to an earlier assignment would be taken for news of this one.
        if work.epoch == self._work.epoch and status != self._reported:
            self._tell(status)

    def _tell(self, status: CapsuleStatus) -> None:
        self._reported = status
        self._place.reporter.report(self._work.capsule_id, self._work.epoch, status)


def _version(work: Work) -> tuple[int, int, int]:
    """Grows with what is wanted; the same may be said several times."""
    return work.epoch, work.spec.generation, work.attachments


def _stage(seen: Observation | None) -> Stage:
    return seen.stage if seen is not None else Stage.ABSENT


def _life(seen: Observation | None) -> tuple[int | None, float | None] | None:
    """What tells it from what ran there before."""
    return (seen.pid, seen.started_at) if seen is not None else None


def _origin(work: Work) -> Origin:
    return Origin(
        capsule_id=work.capsule_id,
        project_id=work.project_id,
        epoch=work.epoch,
        restarts=work.spec.restarts,
        rebuilds=work.spec.rebuilds,
        handler=work.spec.runtime,
        sandbox=work.spec.sandbox,
    )


def _worded(step: Step) -> str:
    match step:
        case Create(container=container) | Prepare(container=container):
            return f"{type(step).__name__.lower()} {container.id} from {container.image}"
        case Stop(container_id=container_id, timeout=timeout):
            return f"stop {container_id} within {timeout} s"
        case Shelter(sandbox=sandbox):
            return f"make the sandbox {sandbox}"
        case Plug(port=port):
            return f"plug in {port.id} as {port.interface}"
        case Unplug(port_id=port_id):
            return f"unplug {port_id}"
        case _:
            return f"{type(step).__name__.lower()} {step.container_id}"
