"""How fast a container uses what it uses: a rate takes two readings."""

import asyncio
from collections.abc import Awaitable, Callable

from higgins.model.ids import ContainerId
from higgins.model.live import Usage

_APART = 1.0
"""Seconds between two readings that are made for a rate."""
_YOUNGEST, _OLDEST = 0.5, 10.0
"""How old, in seconds, a former reading may be for a rate."""


class Readings:
    """Remembers the last reading of each container for a while, so that whoever asks again and again does not wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[ContainerId, tuple[float, Usage]] = {}

    async def rate(self, container_id: ContainerId, read: Callable[[], Awaitable[Usage]]) -> tuple[Usage, float]:
        """A new reading, and the cores in use since one before. Takes a second where there is none to compare with."""
        former = self._former(container_id)
        if former is None:
            former = await self._taken(container_id, read)
            await asyncio.sleep(_APART)
        now = await self._taken(container_id, read)
        return now, _cores(former, now)

    def _former(self, container_id: ContainerId) -> Usage | None:
        now = self._clock()
        self._kept = {each: kept for each, kept in self._kept.items() if 0 <= now - kept[0] <= _OLDEST}
        at, usage = self._kept.get(container_id, (now, None))
        return usage if now - at >= _YOUNGEST else None

    async def _taken(self, container_id: ContainerId, read: Callable[[], Awaitable[Usage]]) -> Usage:
        usage = await read()
        self._kept[container_id] = self._clock(), usage
        return usage


def _cores(former: Usage, now: Usage) -> float:
    """None in use, if it was started anew in between."""
    seconds = now.read_at - former.read_at
    return max(0.0, now.cpu - former.cpu) / seconds if seconds > 0 else 0.0
