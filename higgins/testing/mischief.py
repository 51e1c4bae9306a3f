"""What every fake can be told to do wrong, and remembers of what it was asked."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from higgins import errors


class Seen(NamedTuple):
    """One call that a fake was asked."""

    method: str
    subject: str | None
    """A container, or the reference of an image."""


@dataclass(slots=True)
class _Trouble:
    failure: Exception
    times: int
    after: bool


class Mischief:
    """What can be told to a fake, and what it was asked."""

    def __init__(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.seen: list[Seen] = []
        """Every call, in order, failed ones too."""
        self._sleep = sleep
        self._away: errors.Unavailable | None = None
        self._delays: dict[str, float] = {}
        self._troubles: defaultdict[str, list[_Trouble]] = defaultdict(list)

    def count(self, method: str, subject: str | None = None) -> int:
        """How often a method was called, for one subject or for all."""
        return sum(call.method == method and subject in (None, call.subject) for call in self.seen)

    def slow(self, method: str, seconds: float) -> None:
        """Let every call of the method take so long; 0 ends it."""
        self._delays[method] = seconds

    def fail(self, method: str, failure: Exception, *, times: int = 1, after: bool = False) -> None:
        """Let the next calls of the method raise this; `after` they had their effect all the same, as when an answer is lost."""
        self._troubles[method].append(_Trouble(failure, times, after))

    def go_away(self, why: str = "The runtime does not answer.") -> None:
        """Every call raises Unavailable, and every watch ends, until it comes back. What runs runs on."""
        self._away = errors.Unavailable(why)

    def come_back(self) -> None:
        """It answers again, and nothing was lost."""
        self._away = None

    def present(self) -> None:
        """Raises Unavailable while it is away."""
        if self._away is not None:
            raise errors.Unavailable(self._away.message)

    @asynccontextmanager
    async def call(self, method: str, subject: str | None = None) -> AsyncIterator[None]:
        """Around the effect of a call: what was told to happen happens."""
        self.seen.append(Seen(method, subject))
        self.present()
        if delay := self._delays.get(method):
            await self._sleep(delay)
            self.present()
        trouble = self._next(method)
        if trouble is not None and not trouble.after:
            raise trouble.failure
        yield
        if trouble is not None:
            raise trouble.failure

    def _next(self, method: str) -> _Trouble | None:
        waiting = self._troubles[method]
        if not waiting:
            return None
        waiting[0].times -= 1
        return waiting.pop(0) if waiting[0].times <= 0 else waiting[0]
