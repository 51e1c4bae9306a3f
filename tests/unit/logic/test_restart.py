"""When a container is started again by itself."""

from typing import Any

import pytest

from higgins.logic import restart
from higgins.model.capsule import ContainerStatus, RestartName, RestartPolicy, Stage
from higgins.testing.builders import container, observation


def after(name: RestartName | None, *, attempts: int = 0, maximum: int = 0, **ended: Any) -> float | None:
    """Seconds from the end to the next start."""
    policy = RestartPolicy(name=name, maximum=maximum) if name is not None else None
    seen = observation(container(), Stage.EXITED, **({"started_at": 99.0, "finished_at": 100.0} | ended))
    return restart.pause(policy, seen, ContainerStatus(attempts=attempts))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (None, False, False),
        (RestartName.NO, False, False),
        (RestartName.ALWAYS, True, True),
        (RestartName.UNLESS_STOPPED, True, True),
        (RestartName.ON_FAILURE, False, True),
    ],
)
def test_a_policy_is_about_how_it_ended(name: RestartName | None, good: bool, bad: bool) -> None:
    assert (after(name, exit_code=0) is not None, after(name, exit_code=1) is not None) == (good, bad)


def test_the_pause_doubles_up_to_a_minute() -> None:
    pauses = [after(RestartName.ALWAYS, attempts=tries) or 0.0 for tries in (0, 1, 2, 5, 9, 10, 1000)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 3.2, 51.2, 60.0, 60.0])


def test_a_run_that_lasted_makes_the_pauses_begin_anew_and_the_tries_count_anew() -> None:
    assert after(RestartName.ALWAYS, attempts=9, started_at=80.0) == pytest.approx(0.1)
    assert after(RestartName.ON_FAILURE, attempts=3, maximum=3, exit_code=1) is None
    assert after(RestartName.ON_FAILURE, attempts=3, maximum=3, exit_code=1, started_at=80.0) is not None


def test_without_a_maximum_it_is_tried_for_ever() -> None:
    assert after(RestartName.ON_FAILURE, attempts=10_000, maximum=0, exit_code=1) is not None
