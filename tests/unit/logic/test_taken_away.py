"""What somebody removes from the runtime, whatever it does and whenever it is looked at."""

from dataclasses import replace

import pytest

from higgins.logic import convergence
from higgins.logic.convergence import Create, Remove, Rest, Start
from higgins.model.capsule import CapsuleSpec, Desired, Observation, Stage
from higgins.model.ids import ContainerId
from higgins.testing.builders import container, observation, spec

ONE = container()
WANTED = spec(ONE)
RUNS = observation(ONE)
# As `docker rm -f` leaves it for a moment: killed, and being removed.
LEAVES = observation(ONE, Stage.EXITED, exit_code=137, leaving=True)


def _steps(wanted: CapsuleSpec, *looks: Observation | None) -> list[object]:
    """What is to be done after each look."""
    known: dict = {}
    steps: list[object] = []
    for look in looks:
        seen: dict[ContainerId, Observation] = {} if look is None else {ONE.id: look}
        known = convergence.absorb(wanted, 1, seen, known)
        steps.append(convergence.next_step(wanted, 1, seen, known, {}))
    return steps


@pytest.mark.parametrize("before", [RUNS, observation(ONE, Stage.CREATED), observation(ONE, Stage.PAUSED), None])
def test_what_is_seen_while_it_is_removed_is_made_again(before: Observation | None) -> None:
    assert _steps(WANTED, before, LEAVES, LEAVES, None)[1:] == [
        Remove(container_id=ONE.id),
        Remove(container_id=ONE.id),
        Create(container=ONE),
    ]


def test_what_had_ended_before_it_was_removed_stays_ended() -> None:
    ended = observation(ONE, Stage.EXITED)
    assert _steps(WANTED, RUNS, ended, replace(ended, leaving=True), None)[1:] == [Rest(), Rest(), Rest()]


def test_what_was_stopped_and_is_removed_is_not_started() -> None:
    assert _steps(spec(ONE, desired=Desired.STOPPED), RUNS, LEAVES, None)[1:] == [Rest(), Rest()]


def test_a_start_that_meets_a_removal_takes_a_new_one() -> None:
    ended = observation(ONE, Stage.EXITED)
    again = replace(WANTED, restarts=1)
    assert _steps(again, ended, replace(ended, leaving=True), None) == [
        Start(container_id=ONE.id),
        Remove(container_id=ONE.id),
        Create(container=ONE),
    ]
