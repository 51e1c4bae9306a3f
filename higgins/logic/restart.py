"""Whether, and when, a container whose command ended is started again."""

from higgins.model.capsule import ContainerStatus, Observation, RestartName, RestartPolicy

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 60.0
_HEALTHY_RUN = 10.0
"""Seconds after which a run counts as a good one, and the pauses begin anew."""


def due(policy: RestartPolicy | None, ended: Observation, status: ContainerStatus) -> float | None:
    """The time from which on it may be started again, None for never."""
    match policy:
        case None | RestartPolicy(name=RestartName.NO):
            return None
        case RestartPolicy(name=RestartName.ON_FAILURE) if ended.exit_code == 0:
            return None
        case RestartPolicy(name=RestartName.ON_FAILURE, maximum=maximum) if 0 < maximum <= tries(ended, status):
            return None
    pause: float = min(_FIRST_PAUSE * 2 ** min(tries(ended, status), 16), _LONGEST_PAUSE)
    return (ended.finished_at or 0.0) + pause


def tries(ended: Observation, status: ContainerStatus) -> int:
    """How many starts in a row did not lead to a good run."""
    ran = (ended.finished_at or 0.0) - (ended.started_at or 0.0)
    return 0 if ran >= _HEALTHY_RUN else status.attempts
