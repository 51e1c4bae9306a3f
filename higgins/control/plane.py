"""The control plane's loops, running side by side."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from higgins import errors
from higgins.aio.bell import Bell
from higgins.aio.patrol import patrol
from higgins.control.deadlines import DeadlineWatch
from higgins.control.fetcher import Fetcher
from higgins.control.host_watch import HostWatch
from higgins.control.local_networks import LocalNetworks
from higgins.control.placer import Custom, Placer
from higgins.control.provisioner import Provisioner
from higgins.control.pruner import Keeping, Pruner
from higgins.control.reaper import Reaper
from higgins.control.volumes import LocalVolumes
from higgins.protocols.network import NetworkProvider
from higgins.protocols.volume import VolumeProvider
from higgins.service.hints import Hints
from higgins.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often each loop visits when nobody hints. Seconds."""

    patrol: float = 10.0
    lease: float = 30.0
    """A host that has not been heard of for so long is down."""
    allotting: float = 60.0
    """So long an asking of a provider may take, and so long others wait for whoever has died meanwhile."""
    retry: float = 5.0
    """So long is waited after a provider has failed."""
    prune: float = 60.0
    """How often it is looked for what is kept for a while only."""


async def run(
    database: Database,
    hints: Hints,
    placing: Custom | None = None,
    rhythm: Rhythm | None = None,
    *,
    networks: NetworkProvider | None = None,
    volumes: VolumeProvider | None = None,
    keeping: Keeping | None = None,
    fetcher: Fetcher | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Run all loops until cancelled. Without `networks` or `volumes` there are those that the hosts make themselves, and without `fetcher` there is
    nothing to fetch."""
    rhythm = rhythm or Rhythm()
    placer = Placer(database, hints, placing or Custom(), clock)
    watch = HostWatch(database, hints, rhythm.lease, clock)
    deadlines = DeadlineWatch(database, hints, clock)
    reaper = Reaper(database, hints)
    pruner = Pruner(database, keeping or Keeping(), clock)
    # Also where nobody gets new ones: what has been allotted has to be given back some day.
    provider, storage = networks or LocalNetworks(database), volumes or LocalVolumes(database)
    provisioner = Provisioner(database, hints, provider, storage, clock, lease=rhythm.allotting, retry=rhythm.retry)
    loop = partial(patrol, foreseen=(errors.Failure,))
    async with asyncio.TaskGroup() as group:
        group.create_task(loop("placer", placer.visit, hints.placer, rhythm.patrol))
        group.create_task(loop("host watch", watch.visit, hints.host_watch, min(rhythm.patrol, rhythm.lease / 3)))
        # A new deadline is in the future: the patrol sees it in time, and a ring for every request would cost more.
        group.create_task(loop("deadlines", deadlines.visit, hints.deadlines, min(rhythm.patrol, 1.0)))
        group.create_task(loop("reaper", reaper.visit, hints.reaper, rhythm.patrol))
        group.create_task(loop("pruner", pruner.visit, Bell(), rhythm.prune))
        if fetcher is not None:
            group.create_task(fetcher.run(rhythm.patrol))
        group.create_task(loop("provisioner", provisioner.visit, hints.provisioner, rhythm.patrol))
