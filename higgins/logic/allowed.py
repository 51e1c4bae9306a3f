"""Which verb is possible in which status.

The table of the Containers API, with its dead ends opened: whatever a container does, its owner can delete it. Plainly if it does not run (a
delete of something running must say `stop` or `force`), and with `stop` always.
"""

from collections.abc import Mapping

from higgins import errors
from higgins.logic.statusword import Status

CREATING, CREATED, RUNNING, STOPPED = Status.CREATING, Status.CREATED, Status.RUNNING, Status.STOPPED
PAUSED, ERROR, UNKNOWN = Status.PAUSED, Status.ERROR, Status.UNKNOWN
RESTARTING, REBUILDING, DELETING = Status.RESTARTING, Status.REBUILDING, Status.DELETING
_THERE = frozenset({CREATED, RUNNING, STOPPED, PAUSED})

STATUSES: Mapping[str, frozenset[Status]] = {
    "start": frozenset({CREATED, STOPPED, ERROR}),
    "stop": frozenset({RUNNING, RESTARTING}),
    "pause": frozenset({RUNNING}),
    "kill": frozenset({RUNNING}),
    "execute": frozenset({RUNNING}),
    "execute_resize": frozenset({RUNNING}),
    "attach": frozenset({RUNNING}),
    "attach_early": frozenset({CREATED, RUNNING, STOPPED}),
    "resize": frozenset({RUNNING}),
    "top": frozenset({RUNNING}),
    "stats": frozenset({RUNNING}),
    "commit": frozenset({RUNNING, STOPPED, PAUSED}),
    "get_archive": _THERE,
    "put_archive": _THERE,
    "unpause": frozenset({PAUSED}),
    "reboot": frozenset({CREATED, RUNNING, STOPPED, ERROR}),
    "rebuild": frozenset({CREATED, RUNNING, STOPPED, ERROR}),
    "update": _THERE,
    "add_security_group": _THERE,
    "remove_security_group": _THERE,
    "network_attach": frozenset(Status) - {DELETING},
    "network_detach": frozenset(Status) - {DELETING},
    "resize_container": _THERE,
    "logs": _THERE | {ERROR, UNKNOWN, RESTARTING, REBUILDING},
    "delete": frozenset({CREATING, CREATED, STOPPED, ERROR, UNKNOWN, DELETING}),
    "delete_after_stop": frozenset(Status),
    "delete_force": frozenset(Status),
}


def check(verb: str, status: Status, container_id: str) -> None:
    """Raises Conflict if the verb has to wait for another status; verbs without an entry are always possible."""
    allowed = STATUSES.get(verb)
    if allowed is not None and status not in allowed:
        said = verb.removesuffix("_early")
        raise errors.Conflict(
            f"Cannot {said} container {container_id} in {status} state", code="invalid-state-exception"
        )
