"""A loop that visits when a bell rings, and in any case once in a while."""

import logging
from collections.abc import Awaitable, Callable

from higgins.aio.bell import Bell

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0


async def patrol(name: str, visit: Callable[[], Awaitable[float | None]], bell: Bell, period: float) -> None:
    """Call `visit` at once, after every ring, and every `period` seconds, for ever.

    A visit takes no input, looks at the world and may return in how many seconds it wants to be called again at the latest. One that raises is
    logged and repeated after a pause that doubles: the world it left behind is what the next one finds.
    """
    pause = 0.1
    while True:
        try:
            again = await visit()
            pause = 0.1
        except Exception:
            log.exception("%s: a visit failed; the next one follows in %.1f s", name, pause)
            again, pause = pause, min(pause * 2, _LONGEST_PAUSE)
        await bell.wait(period if again is None else min(again, period))
