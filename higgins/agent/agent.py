"""The host daemon: keeps a session with the control plane, and a worker for everything that is assigned."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from higgins import errors
from higgins.agent.holds import Holds
from higgins.agent.mounts import Mounts
from higgins.agent.orders import order
from higgins.agent.reporter import Reporter
from higgins.agent.shelf import Shelf
from higgins.agent.worker import Worker, Workplace
from higgins.aio.bell import Bell
from higgins.aio.jumps import Jumps
from higgins.aio.patrol import patrol
from higgins.link.messages import (
    Acknowledged,
    Changed,
    ControlMessage,
    Gone,
    Heartbeat,
    Hello,
    HostChannel,
    Welcome,
    Whole,
    Withdrawn,
    Work,
    roll,
)
from higgins.logic.convergence import Outage
from higgins.model.capsule import Desired
from higgins.model.host import NETWORKS, Inventory
from higgins.model.ids import CapsuleId, ContainerId, HostId, PortId, VolumeId
from higgins.protocols.network import NetworkPlug
from higgins.protocols.runtime import Runtime

log = logging.getLogger(__name__)

Connect = Callable[[], AbstractAsyncContextManager[HostChannel]]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_TOMBSTONES = 10_000
"""So many capsules that were withdrawn are remembered at least, for messages about them that come late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this host is."""

    host_id: HostId
    name: str
    availability_zone: str = "nova"


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """How the operator wants this host to work."""

    sweep: float = 60.0
    """Seconds between two looks at everything that the runtime has."""
    stock: float = 5.0
    """Seconds to wait for the runtime to describe itself: heartbeats must not wait for one that hangs."""
    silence: float = 10.0
    """Seconds in which the control plane has to answer a hello."""
    retry: float = 5.0
    """Seconds after which a report that nobody acknowledged is repeated."""


class Agent:
    """One host's agent. `connect` opens a session's channel; everything else goes on while there is none."""

    def __init__(
        self,
        identity: Identity,
        connect: Connect,
        runtime: Runtime,
        shelf: Shelf,
        custom: Custom | None = None,
        *,
        holds: Holds | None = None,
        mounts: Mounts | None = None,
        plug: NetworkPlug | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        custom = custom or Custom()
        self._identity = identity
        self._connect = connect
        self._runtime = runtime
        self._plug = plug
        self._custom = custom
        self._clock = clock
        self._jumps = Jumps(clock)
        self._shelf = shelf
        self._reporter = Reporter(retry=custom.retry)
        self._mounts = mounts or Mounts()
        self._place = Workplace(
            runtime=runtime,
            shelf=shelf,
            reporter=self._reporter,
            clock=clock,
            holds=holds or Holds(),
            mounts=self._mounts,
            plug=plug,
        )
        self._workers: dict[CapsuleId, tuple[Worker, asyncio.Task[None]]] = {}
        self._spoken: dict[CapsuleId, int] = {}
        """The number of the message of this session that spoke of a capsule last."""
        self._owners: dict[ContainerId, CapsuleId] = {}
        self._complete = False
        """The whole assignment has been seen since this agent started: what is not in it may be removed."""
        self._inventory = Inventory(runtime="", trouble="The runtime has not been asked yet.")
        self._outage: Outage | None = None
        self._sweep = Bell()
        self._news = Bell()

    async def run(self) -> None:
        """Work until cancelled."""
        async with self._shelf.open(self._wanted_images), asyncio.TaskGroup() as group:
            self._group = group
            await self._take_stock()
            group.create_task(self._watch())
            group.create_task(patrol("sweep", self._visit_all, self._sweep, self._custom.sweep))
            group.create_task(self._keep_connected())

    # The session.

    async def _keep_connected(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with self._connect() as channel:
                    await self._converse(channel)
                log.warning("the control plane has ended the session")
                pause = _FIRST_PAUSE
            except errors.Failure as failure:
                log.warning("not connected: %s; trying again in %.1f s", failure.message, pause)
            except Exception:
                log.exception("the session failed in an unforeseen way; trying again in %.1f s", pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _converse(self, channel: HostChannel) -> None:
        me = self._identity
        await channel.send(
            Hello(host_id=me.host_id, name=me.name, availability_zone=me.availability_zone, inventory=self._inventory)
        )
        messages = aiter(channel)
        try:
            async with asyncio.timeout(self._custom.silence):
                while not isinstance(welcome := await anext(messages), Welcome):
                    continue  # From an earlier session of a link that delays; without numbers that can be trusted.
        except (TimeoutError, StopAsyncIteration) as error:
            raise errors.Unavailable("the control plane did not answer") from error
        log.info("connected as %s, session %d", me.name, welcome.session)
        self._spoken.clear()
        async with asyncio.TaskGroup() as group:
            speaking = [
                group.create_task(self._until_cut_off(self._reporter.run(channel))),
                group.create_task(self._until_cut_off(self._beat(channel, welcome.heartbeat))),
            ]
            try:
                async for message in messages:
                    self._hear(message)
            except errors.Unavailable as cut:
                log.info("the session broke: %s", cut.message)
            finally:
                for task in speaking:
                    task.cancel()

    async def _until_cut_off(self, speaking: Awaitable[None]) -> None:
        try:
            await speaking
        except errors.Unavailable:
            return  # Whoever listens notices the same.

    async def _beat(self, channel: HostChannel, period: float) -> None:
        while True:
            # The hello was the first one; what is assigned is on its way.
            await self._news.wait(period)
            await self._take_stock()
            # Until the whole assignment has come, this agent knows nothing, which is not the same as that nothing is assigned to it.
            known = roll(worker.work for worker, _ in self._workers.values()) if self._complete else ""
            idle = await self._mounts.idle(self._used_volumes()) if self._complete else ()
            await channel.send(Heartbeat(known=known, inventory=self._inventory, idle=tuple(idle)))

    def _hear(self, message: ControlMessage) -> None:
        match message:
            case Whole(number=number, capsules=capsules):
                assigned = set(capsules)
                for capsule_id in [known for known in self._workers if known not in assigned]:
                    self._withdraw(number, capsule_id)
                # With one that got lost on the way, what it has on this host would be taken for somebody's leavings. The next heartbeat asks for all again.
                self._complete = self._complete or assigned <= self._workers.keys()
                self._sweep.ring()
            case Changed(number=number, work=work):
                for one in work:
                    self._assign(number, one)
            case Withdrawn(number=number, capsules=capsules):
                for capsule_id in capsules:
                    self._withdraw(number, capsule_id)
            case Acknowledged(sequences=sequences):
                self._reporter.acknowledged(sequences)
            case Gone(volumes=volumes):
                self._group.create_task(self._mounts.remove(volumes, self._used_volumes))

    def _assign(self, number: int, work: Work) -> None:
        if not self._is_news(number, work.capsule_id):
            return
        for container_id in work.spec.ids():
            self._owners[container_id] = work.capsule_id
        known = self._workers.get(work.capsule_id)
        if known is not None:
            known[0].assign(work)
            return
        worker = Worker(work, self._place)
        worker.outage = self._outage
        self._workers[work.capsule_id] = worker, self._group.create_task(worker.run())

    def _withdraw(self, number: int, capsule_id: CapsuleId) -> None:
        """Stop working on it; what is left of it is a stray, and the sweep removes it."""
        if not self._is_news(number, capsule_id):
            return
        known = self._workers.pop(capsule_id, None)
        if known is None:
            return
        worker, task = known
        task.cancel()
        for container_id in worker.work.spec.ids():
            self._owners.pop(container_id, None)
        self._reporter.forget(capsule_id)
        self._sweep.ring()
        if worker.work.volumes:
            # Some of them may have gone with it.
            self._news.ring()

    def _is_news(self, number: int, capsule_id: CapsuleId) -> bool:
        if number <= self._spoken.get(capsule_id, 0):
            return False
        self._spoken[capsule_id] = number
        if len(self._spoken) > 2 * len(self._workers) + _TOMBSTONES:
            # What was withdrawn long ago is not spoken of again; a session that lasts for months must not remember it all.
            live = {known: self._spoken[known] for known in self._spoken if known in self._workers}
            self._spoken = live | {capsule_id: number}
        return True

    # The runtime.

    async def _watch(self) -> None:
        """Pass on what the runtime says of its containers; while it says nothing, notice when it is back."""
        while True:
            try:
                async for container_id in self._runtime.watch():
                    self._hint(container_id)
            except errors.Failure as failure:
                log.warning("the runtime cannot be watched: %s", failure.message)
            except Exception:
                log.exception("watching the runtime failed in an unforeseen way")
            await self._outlast()

    async def _outlast(self) -> None:
        """The runtime went away, or only ended the watch: carry on when it answers."""
        began = self._clock()
        self._outage = Outage(began=began)
        self._tell_outage()
        self._news.ring()
        pause = _FIRST_PAUSE
        while (await self._take_stock()).trouble is not None:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 2.0)
        self._outage = Outage(began=began, ended=self._clock())
        self._tell_outage()
        for worker, _ in self._workers.values():
            worker.retry()
        self._news.ring()
        self._sweep.ring()

    def _tell_outage(self) -> None:
        for worker, _ in self._workers.values():
            worker.outage = self._outage
            worker.hint()

    def _hint(self, container_id: ContainerId) -> None:
        owner = self._owners.get(container_id)
        known = self._workers.get(owner) if owner is not None else None
        if known is not None:
            known[0].hint()
        else:
            self._sweep.ring()

    def _wanted_images(self) -> Iterable[str]:
        """Those that somebody here will be made of, or made again."""
        for worker, _ in self._workers.values():
            work = worker.work
            if work.spec.desired is Desired.DELETED:
                continue
            for container in work.spec.all():
                try:
                    yield order(container, work.project_id, work.logins).image
                except errors.Failure:
                    continue  # Its worker says so.

    def _used_volumes(self) -> Collection[VolumeId]:
        return {one.volume_id for worker, _ in self._workers.values() for one in worker.work.volumes}

    def _mind_the_clock(self) -> None:
        """The times of what runs cannot be compared any more with those of an outage before a jump."""
        if self._jumps.since() and self._outage is not None and self._outage.ended is not None:
            self._outage = None
            self._tell_outage()

    async def _take_stock(self) -> Inventory:
        self._mind_the_clock()
        trouble: str | None = None
        try:
            async with asyncio.timeout(self._custom.stock):
                told = await self._runtime.inventory()
                if self._plug is not None:
                    able, ports = (*told.capabilities, NETWORKS), tuple(await self._plug.busy())
                    told = replace(told, capabilities=able, ports=ports)
                mounting = await self._mounts.capabilities()
            self._inventory = replace(told, capabilities=(*told.capabilities, *mounting))
        except errors.Failure as failure:
            trouble = failure.message
        except TimeoutError:
            trouble = "The runtime takes too long to answer."
        if trouble is not None:
            if self._inventory.trouble != trouble:
                log.warning("the runtime does not answer: %s", trouble)
            self._inventory = replace(self._inventory, trouble=trouble)
        return self._inventory

    async def _visit_all(self) -> float | None:
        """Remove what carries our mark but is assigned to nobody, and send a worker wherever something has changed unnoticed."""
        self._mind_the_clock()
        if not self._complete:
            return None
        try:
            there = await self._runtime.list()
            # What is plugged in leaves before what it is plugged into.
            plugged = await self._unplug_strays()
        except errors.Failure as failure:
            # While it is known not to answer, saying it again and again tells nothing.
            log.log(
                logging.WARNING if self._inventory.trouble is None else logging.DEBUG,
                "cannot look at what the runtime has: %s",
                failure.message,
            )
            return _LONGEST_PAUSE
        again = _LONGEST_PAUSE if plugged is None and self._plug is not None else None
        for container_id in there:
            # Asked now, not when the list was made: work may have arrived meanwhile.
            if container_id in self._owners:
                continue
            log.warning("removing %s: it is assigned to nobody", container_id)
            try:
                await self._runtime.remove(container_id)
            except errors.Failure as failure:
                log.warning("cannot remove %s yet: %s", container_id, failure.message)
                again = _LONGEST_PAUSE
        for worker, _ in list(self._workers.values()):
            worker.compare(there, plugged)
        # Last: what is mounted in a container that has just been removed can be unmounted now.
        await self._mounts.sweep(lambda: self._workers, self._used_volumes)
        return again

    async def _unplug_strays(self) -> Mapping[PortId, str] | None:
        """Unplug what carries our mark but belongs to nothing that is assigned; returns what there was, None where nobody can tell."""
        if self._plug is None:
            return None
        try:
            there = await self._plug.list()
            for port_id in there:
                if self._keepers(port_id):
                    continue
                log.warning("unplugging %s: it belongs to nobody", port_id)
                await self._plug.unplug(port_id)
                # Asked again: work may have arrived meanwhile, and have plugged it in before it was taken away.
                for worker in self._keepers(port_id):
                    worker.plumb()
        except errors.Failure as failure:
            log.warning("cannot look after what is plugged in on this host: %s", failure.message)
            return None
        return there

    def _keepers(self, port_id: PortId) -> Sequence[Worker]:
        return [worker for worker, _ in self._workers.values() if any(port.id == port_id for port in worker.work.ports)]
