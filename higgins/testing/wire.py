"""A link in memory that loses, doubles, delays and reorders, as told; for tests of what speaks over a Channel."""

import asyncio
import heapq
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from higgins import errors
from higgins.link.messages import ControlChannel, ControlMessage, HostChannel, HostMessage

Out = TypeVar("Out")
In = TypeVar("In")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversary:
    """How a wire treats its messages. Probabilities are between 0 and 1. Told nothing, it loses nothing and keeps the order."""

    seed: int = 0
    """The same seed does the same to the same messages; each direction has dice of its own."""
    drop: float = 0.0
    double: float = 0.0
    delay: float = 0.0
    """Seconds at most, chosen evenly for every message."""
    reorder: float = 0.0
    """How likely a message may overtake the delayed ones before it; without, delays keep the order."""
    spares: tuple[type, ...] = ()
    """Messages that it leaves in peace, such as Hello and Welcome, without which there is no session."""


class Wire:
    """A session's two ends."""

    def __init__(self, adversary: Adversary | None = None) -> None:
        adversary = adversary or Adversary()
        up: _Direction[HostMessage] = _Direction(adversary, "up")
        down: _Direction[ControlMessage] = _Direction(adversary, "down")
        self._directions: tuple[_Direction[Any], ...] = (up, down)
        self.host: HostChannel = _End(up, down)
        self.control: ControlChannel = _End(down, up)

    def cut(self) -> None:
        """The session is over: both ends are told, and what is on its way is lost."""
        for direction in self._directions:
            direction.cut()


class _End(Generic[Out, In]):
    """One end of a session."""

    def __init__(self, outgoing: "_Direction[Out]", incoming: "_Direction[In]") -> None:
        self._outgoing = outgoing
        self._incoming = incoming

    async def send(self, message: Out) -> None:
        # As on a real wire, others may run meanwhile.
        await asyncio.sleep(0)
        self._outgoing.put(message)

    def __aiter__(self) -> AsyncIterator[In]:
        return self._incoming


class _Direction(Generic[Out]):
    """What goes one way: messages by the time at which they arrive, those of the same time in the order of sending."""

    def __init__(self, adversary: Adversary, name: str) -> None:
        self._adversary = adversary
        self._dice = random.Random(f"{adversary.seed}:{name}")
        self._on_the_way: list[tuple[float, int, Out]] = []
        self._count = 0
        self._latest = 0.0
        self._over = False
        self._changed = asyncio.Event()

    def put(self, message: Out) -> None:
        if self._over:
            raise errors.Unavailable("the session is over")
        # All dice are thrown for every message, so that changing one probability leaves the other outcomes alone.
        dropped, doubled, overtakes, *slowness = (self._dice.random() for _ in range(5))
        if isinstance(message, self._adversary.spares):
            self._add(message, 0.0, overtakes=False)
        elif dropped >= self._adversary.drop:
            for slow in slowness[: 2 if doubled < self._adversary.double else 1]:
                self._add(message, slow * self._adversary.delay, overtakes=overtakes < self._adversary.reorder)

    def cut(self) -> None:
        self._over = True
        self._changed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Out:
        await self._arrival()
        if self._over:
            raise errors.Unavailable("the wire was cut")
        return heapq.heappop(self._on_the_way)[2]

    def _add(self, message: Out, delay: float, *, overtakes: bool) -> None:
        due = asyncio.get_running_loop().time() + delay
        if not overtakes:
            due = self._latest = max(due, self._latest)
        heapq.heappush(self._on_the_way, (due, self._count, message))
        self._count += 1
        self._changed.set()

    async def _arrival(self) -> None:
        """Returns when a message has arrived, or the wire was cut."""
        loop = asyncio.get_running_loop()
        while not self._over:
            due = self._on_the_way[0][0] if self._on_the_way else None
            if due is not None and due <= loop.time():
                return
            self._changed.clear()
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                continue
