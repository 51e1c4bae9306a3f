"""Whether, and after which pause, a container is started again, or made again because it stays unhealthy.

Pauses are counted by the host from when it first saw what they follow, never from a time of day: a clock that jumps neither stretches nor ends them.
"""

from higgins.model.capsule import ContainerStatus, Observation, RestartName, RestartPolicy

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 60.0
_HEALTHY_RUN = 10.0
"""Seconds after which a run counts as a good one, and the pauses begin anew."""
_FIRST_HEALING_PAUSE = 5.0
_LONGEST_HEALING_PAUSE = 300.0
_HEALED = 600.0
"""Seconds after which a run counts as one that healing has helped to."""


def pause(policy: RestartPolicy | None, ended: Observation, status: ContainerStatus) -> float | None:
    """Seconds from its end on after which it may be started again, None for never."""
    match policy:
        case None | RestartPolicy(name=RestartName.NO):
            return None
        case RestartPolicy(name=RestartName.ON_FAILURE) if ended.exit_code == 0:
            return None
        case RestartPolicy(name=RestartName.ON_FAILURE, maximum=maximum) if 0 < maximum <= tries(ended, status):
            return None
    return float(min(_FIRST_PAUSE * 2 ** min(tries(ended, status), 16), _LONGEST_PAUSE))


def tries(ended: Observation, status: ContainerStatus) -> int:
    """How many starts in a row did not lead to a good run."""
    ran = (ended.finished_at or 0.0) - (ended.started_at or 0.0)
    return 0 if ran >= _HEALTHY_RUN else status.attempts


def healing_pause(status: ContainerStatus) -> float:
    """Seconds from its start on after which it may be made again if it is unhealthy."""
    if status.heals == 0:
        return 0.0
    return float(min(_FIRST_HEALING_PAUSE * 2 ** min(status.heals - 1, 16), _LONGEST_HEALING_PAUSE))


def heals(status: ContainerStatus, ran: float) -> int:
    """How often in a row it has been made again once this is done, after a run of `ran` seconds."""
    return 1 if ran >= _HEALED else status.heals + 1
