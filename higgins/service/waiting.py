"""Waiting until something is what was waited for."""

import asyncio
from collections.abc import Callable, Collection

from higgins.logic import statusword
from higgins.logic.statusword import Status
from higgins.model.capsule import Capsule
from higgins.model.identity import Caller
from higgins.service.hints import Hints
from higgins.service.lookup import Lookup

_PATROL = 3.0
"""Seconds after which somebody who waits looks again though nothing was heard."""
_PASSING = (Status.CREATING, Status.RESTARTING, Status.REBUILDING, Status.DELETING)


async def until(
    capsule: Capsule,
    statuses: Collection[Status],
    timeout: float,
    *,
    hints: Hints,
    lookup: Lookup,
    caller: Caller,
    rule: str,
    gone: Callable[[], bool],
) -> Capsule:
    """The capsule as soon as it has come to rest in one of these statuses, or in Error; as it is when `timeout` seconds are over, or soon after
    its caller is `gone`.

    NotFound as soon as it is gone itself.
    """
    try:
        async with asyncio.timeout(timeout):
            with hints.watchers.listen(capsule.id) as listener:
                while True:
                    capsule = await lookup.read(caller, capsule.id, rule)
                    if _awaited(capsule, statuses) or gone():
                        break
                    await listener.bell.wait(_PATROL)
    except TimeoutError:
        pass
    return capsule


def _awaited(capsule: Capsule, statuses: Collection[Status]) -> bool:
    word = statusword.describe(capsule)
    if word.status is Status.ERROR:
        return True
    # What is still shown while something else is under way has not come about: it is about to end.
    return word.status in statuses and (word.task is None or word.status in _PASSING)
