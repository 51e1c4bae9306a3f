"""Waiting until a container, or a capsule, is where it should be."""

import time
from collections.abc import Callable, Collection

from higgins import errors
from higgins.client.cloud import Cloud, Document, path

LONG = 60.0
"""Seconds of one long request."""
_AT_REST = ("Created", "Running", "Stopped", "Paused")
_PAUSE = 0.25
"""Seconds between two looks where a server does not wait by itself."""


def until(
    cloud: Cloud,
    uuid: str,
    goals: Collection[str],
    *,
    watch: Callable[[Document], None] | None = None,
    every: float = LONG,
    noun: str = "containers",
) -> Document | None:
    """The container as soon as its status is one of these, or Error with nothing more to come; None if it is gone.

    `watch` sees it on the way, every so many seconds.
    """
    while True:
        began = time.monotonic()
        query = {"wait": ",".join(goals), "timeout": max(1, int(every))}
        try:
            found: Document = cloud.get(path(noun, uuid), query, patience=every + 30)
        except errors.NotFound:
            return None
        # What is still shown while something else is under way has not come about: it is about to end.
        if found["status"] in (*goals, "Error") and not found.get("task_state"):
            return found
        if watch is not None:
            watch(found)
        if time.monotonic() - began < _PAUSE:
            time.sleep(_PAUSE)


def settled(cloud: Cloud, name: str) -> Document | None:
    """The container once nothing more is being done about it; None if it is gone."""
    return until(cloud, name, _AT_REST)


def gone(cloud: Cloud, uuid: str) -> None:
    """Return when nothing of it is left, and its name is free again. Raises what keeps it."""
    found = until(cloud, uuid, ("Deleted",))
    if found is not None:
        raise failure(found)


def failure(found: Document) -> errors.Failure:
    """What became of it instead."""
    reason = str(found.get("status_reason") or "it is in Error").removesuffix(".")
    failed = errors.Conflict(f"{found['name']}: {reason}")
    failed.add_note(f"Its story: higgins history {found['name']}   Remove it: higgins rm {found['name']}")
    return failed


def unmet(cloud: Cloud, name: str, what: str) -> errors.Conflict:
    """What did not come about, with what the last thing that was asked of it came to."""
    last = cloud.get(path("containers", name, "container_actions"))["containerActions"][0]
    steps = cloud.get(path("containers", name, "container_actions", last["request_id"]))["events"]
    reason = next((str(each["message"]) for each in steps if each.get("message")), "").removesuffix(".")
    failure = errors.Conflict(f"{what}: {reason}" if reason else what)
    failure.add_note(f"Its story: higgins history {name}")
    return failure
