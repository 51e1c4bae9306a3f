"""Single steps that the properties would not miss if they were taken otherwise."""

from dataclasses import replace

import pytest

from higgins.logic import convergence
from higgins.logic.convergence import Create, Plug, Remove, Rest, Shelter, Start, Step, Stop, Unpause, Unplug, Wires
from higgins.model.capsule import ContainerStatus, Desired, Observation, Stage
from higgins.model.ids import CapsuleId, ContainerId
from higgins.testing.builders import container, observation, port, spec

SANDBOX = ContainerId("sandbox")
NET = "net:[1]"


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


def a_sandbox(stage: Stage = Stage.RUNNING, **said: object) -> Observation:
    return observation(container(id=SANDBOX), stage, **said)


def test_ports_are_plugged_in_between_the_sandbox_and_its_containers() -> None:
    one, first, second = container(), port(), port()
    wanted = spec(one, sandbox=SANDBOX)
    wires = Wires(wanted=(first, second))
    assert convergence.next_step(wanted, 1, {}, {}, {}, wires) == Shelter(sandbox=SANDBOX)
    seen = {SANDBOX: a_sandbox()}
    wires = Wires(wanted=(first, second), namespace=NET, plugged={first.id: NET}, forms={first.id: first})
    assert convergence.next_step(wanted, 1, seen, {}, {}, wires) == Plug(port=second)
    wires = Wires(wanted=(first,), namespace=NET, plugged={first.id: NET}, forms={first.id: first})
    assert convergence.next_step(wanted, 1, seen, {}, {}, wires) == Create(container=one)


@pytest.mark.parametrize(("there", "form"), [("net:[2]", True), (NET, False)])
def test_a_port_that_is_elsewhere_or_was_plugged_in_before_anybody_remembers_is_plugged_in_again(
    there: str, form: bool
) -> None:
    one, first = container(), port()
    wires = Wires(wanted=(first,), namespace=NET, plugged={first.id: there}, forms={first.id: first} if form else {})
    seen = {SANDBOX: a_sandbox(), one.id: observation(one)}
    assert convergence.next_step(spec(one, sandbox=SANDBOX), 1, seen, {}, {}, wires) == Plug(port=first)


def test_a_port_that_is_not_wanted_any_more_leaves_a_sandbox_that_runs_before_another_comes() -> None:
    one, old, new = container(), port(), port()
    wanted, seen = spec(one, sandbox=SANDBOX), {SANDBOX: a_sandbox(), one.id: observation(one)}
    wires = Wires(wanted=(new,), namespace=NET, plugged={old.id: NET}, forms={old.id: old})
    assert convergence.next_step(wanted, 1, seen, {}, {}, wires) == Unplug(port_id=old.id)
    assert convergence.next_step(wanted, 1, seen, {}, {}, replace(wires, plugged={})) == Plug(port=new)


def test_a_change_of_networks_has_not_settled_until_they_are_allotted() -> None:
    one = container()
    wanted, seen = spec(one, sandbox=SANDBOX), {SANDBOX: a_sandbox(), one.id: observation(one)}
    wires = Wires(namespace=NET, behind=True)
    assert convergence.next_step(wanted, 1, seen, {}, {}, wires) == Rest(settled=False)
    assert convergence.next_step(wanted, 1, seen, {}, {}, Wires(namespace=NET)) == Rest()


@pytest.mark.parametrize("epoch", [1, 2])
def test_ports_leave_a_sandbox_before_it_is_removed(epoch: int) -> None:
    """Because the capsule is deleted, or has another assignment."""
    one, first = container(), port()
    wanted = spec(one, sandbox=SANDBOX, desired=Desired.DELETED if epoch == 1 else Desired.RUNNING)
    seen = {SANDBOX: a_sandbox()}
    wires = Wires(wanted=(first,), namespace=NET, plugged={first.id: NET}, forms={first.id: first})
    assert convergence.next_step(wanted, epoch, seen, {}, {}, wires) == Unplug(port_id=first.id)
    wires = Wires(wanted=(first,), namespace=NET)
    assert convergence.next_step(wanted, epoch, seen, {}, {}, wires) == Remove(container_id=SANDBOX)


def test_what_has_ended_for_good_needs_no_sandbox() -> None:
    """Or what it printed and wrote would go for a network that nobody uses."""
    one = container()
    seen = {one.id: observation(one, Stage.EXITED)}
    wanted = spec(one, sandbox=SANDBOX)
    known = convergence.absorb(wanted, 1, seen, {})
    assert convergence.next_step(wanted, 1, seen, known, {}) == Rest()
    again = spec(one, sandbox=SANDBOX, restarts=1)
    assert convergence.next_step(again, 1, seen, known, {}) == Remove(container_id=one.id)
