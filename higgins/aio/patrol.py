"""A loop that visits when a bell rings, and in any case once in a while."""

import logging
from collections.abc import Awaitable, Callable

from higgins.aio.bell import Bell

log = logging.getLogger(__name__)

_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 30.0


async def patrol(
    name: str,
    visit: Callable[[], Awaitable[float | None]],
    bell: Bell,
    period: float,
    *,
    foreseen: tuple[type[Exception], ...] = (),
) -> None:
    """Call `visit` at once, after every ring, and every `period` seconds, for ever.

    A visit takes no input, looks at the world and may return in how many seconds it wants to be called again at the latest. One that raises is
    logged and repeated after a pause that doubles: the world it left behind is what the next one finds. What is `foreseen` says itself what is wrong,
    and is logged without the place where it was found.
    """
    pause = _SHORTEST_PAUSE
    while True:
        again: float | None = pause
        longer = min(pause * 2, _LONGEST_PAUSE)
        try:
            again, longer = await visit(), _SHORTEST_PAUSE
        except foreseen as failure:
            log.warning("%s: a visit failed: %s; the next one follows in %.1f s", name, failure, pause)
        except Exception:
            log.exception("%s: a visit failed; the next one follows in %.1f s", name, pause)
        pause = longer
        await bell.wait(period if again is None else min(again, period))
