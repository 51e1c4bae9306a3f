"""Single steps that the properties would not miss if they were taken otherwise."""

import pytest

from higgins.logic import convergence
from higgins.logic.convergence import Create, Remove, Start, Step, Stop, Unpause
from higgins.model.capsule import ContainerStatus, Desired, Stage
from higgins.model.ids import CapsuleId
from higgins.testing.builders import container, observation, spec


@pytest.mark.parametrize("desired", [Desired.STOPPED, Desired.DELETED, Desired.CREATED])
def test_what_is_frozen_is_let_go_so_that_it_hears_that_it_should_end(desired: Desired) -> None:
    one = container()
    wanted = spec(one, desired=desired, stop_timeout=10)
    seen = {one.id: observation(one, Stage.PAUSED)}
    assert convergence.next_step(wanted, 1, seen, {}, {}) == Unpause(container_id=one.id)


@pytest.mark.parametrize(("desired", "step"), [(Desired.STOPPED, Stop), (Desired.DELETED, Remove)])
def test_what_is_frozen_and_has_no_time_to_end_is_not_let_run(desired: Desired, step: type[Step]) -> None:
    one = container()
    wanted = spec(one, desired=desired, stop_timeout=0)
    seen = {one.id: observation(one, Stage.PAUSED)}
    assert isinstance(convergence.next_step(wanted, 1, seen, {}, {}), step)


def test_a_sandbox_goes_after_all_that_is_in_it() -> None:
    one, sandbox = container(), container()
    wanted = spec(one, desired=Desired.DELETED, stop_timeout=10, sandbox=sandbox.id)
    capsule_id = CapsuleId(one.id)
    seen = {
        sandbox.id: observation(sandbox, capsule_id=capsule_id),
        one.id: observation(one, capsule_id=capsule_id),
    }
    assert convergence.next_step(wanted, 1, seen, {}, {}) == Stop(container_id=one.id, timeout=10)
    seen[one.id] = observation(one, Stage.EXITED, capsule_id=capsule_id)
    assert convergence.next_step(wanted, 1, seen, {}, {}) == Remove(container_id=one.id)
    del seen[one.id]
    assert convergence.next_step(wanted, 1, seen, {}, {}) == Remove(container_id=sandbox.id)


def test_a_run_that_vanishes_before_anybody_looked_is_begun_again() -> None:
    one = container()
    wanted = spec(one, restarts=1)
    ended = {one.id: ContainerStatus(observed=observation(one, Stage.EXITED))}
    known = convergence.taken(Start(container_id=one.id), wanted, ended)
    known = convergence.absorb(wanted, 1, {}, known)
    assert convergence.next_step(wanted, 1, {}, known, {}) == Create(container=one)


def _fails_again_and_again(last: float | None, now: float, **rest: int) -> int:
    """The tries that are counted when an agent comes back to a run that began at `now`, having written down one that began at `last`."""
    one = container()
    before = observation(one, Stage.EXITED, exit_code=1, started_at=last, finished_at=9.0)
    found = observation(one, Stage.EXITED, exit_code=1, started_at=now, finished_at=now + 1, **rest)
    known = {one.id: ContainerStatus(observed=before, attempts=1)}
    return convergence.absorb(spec(one), 1, {one.id: found}, known, unwatched=True)[one.id].attempts


def test_a_try_that_nobody_lived_to_count_is_counted() -> None:
    assert _fails_again_and_again(last=8.0, now=10.0) == 2


def test_a_try_that_was_counted_or_is_none_is_not_counted_again() -> None:
    assert _fails_again_and_again(last=8.0, now=8.0) == 1
    assert _fails_again_and_again(last=None, now=10.0) == 1, "counted when it was begun"
    assert _fails_again_and_again(last=8.0, now=10.0, restarts=1) == 1, "another that was made since"
    assert _fails_again_and_again(last=8.0, now=10.0, rebuilds=1) == 1, "another that was made since"
