"""From every reachable mix of spec, memory and runtime, one step at a time comes to rest, and at rest what runs is what was asked."""

from collections import deque
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from higgins.logic import convergence, restart
from higgins.logic.convergence import Create, Outage, Pause, Remove, Rest, Start, Step, Stop, Unpause
from higgins.model.capsule import (
    CapsuleSpec,
    Container,
    ContainerStatus,
    Desired,
    Observation,
    RestartName,
    RestartPolicy,
    Stage,
)
from higgins.model.ids import CapsuleId, ContainerId
from higgins.testing.builders import container, observation, spec

EPOCH = 3
CAPSULE = CapsuleId("capsule")
ALIVE = (Stage.RUNNING, Stage.PAUSED)


@dataclass(frozen=True)
class Mishap:
    """Something that happens before, or instead of, the next step."""

    kind: str
    who: int = 0
    code: int = 0


@dataclass
class World:
    """A runtime, the host that drives it, and what really became of every run."""

    spec: CapsuleSpec
    there: dict[ContainerId, Observation]
    known: dict[ContainerId, ContainerStatus]
    now: float = 1000.0
    outage: Outage | None = None
    unwatched: bool = True
    fresh: set[ContainerId] = field(default_factory=set)
    """Started, as far as the runtime is concerned, since the world began."""
    lost: set[ContainerId] = field(default_factory=set)
    """The last run did not end by itself, and the host had a chance to know that."""
    reported: dict[ContainerId, ContainerStatus] = field(default_factory=dict)

    def look(self) -> Step | Rest:
        self.known = convergence.absorb(self.spec, EPOCH, self.there, self.known, self.outage, unwatched=self.unwatched)
        self.unwatched = False
        return convergence.next_step(self.spec, EPOCH, self.there, self.known, self.now)

    def take(self, step: Step) -> bool:
        """Whether the runtime did it."""
        match step:
            case Create(container=made):
                if made.id not in self.there:
                    self.there[made.id] = observation(
                        made, Stage.CREATED, capsule_id=CAPSULE, epoch=EPOCH, restarts=self.spec.restarts
                    )
            case Start(container_id=which):
                if which not in self.there or self.there[which].stage is Stage.PAUSED:
                    return False
                if self.there[which].stage is not Stage.RUNNING:
                    self.fresh.add(which)
                    self.lost.discard(which)
                    self.there[which] = replace(
                        self.there[which], stage=Stage.RUNNING, started_at=self.now, finished_at=None, exit_code=None
                    )
            case Stop(container_id=which):
                self.end(which, 137)
            case Remove(container_id=which):
                self.there.pop(which, None)
            case Pause(container_id=which) | Unpause(container_id=which):
                if which not in self.there or self.there[which].stage not in ALIVE:
                    return False
                stage = Stage.PAUSED if isinstance(step, Pause) else Stage.RUNNING
                self.there[which] = replace(self.there[which], stage=stage)
        return True

    def end(self, which: ContainerId, code: int) -> None:
        if which in self.there and self.there[which].stage in ALIVE:
            self.there[which] = replace(self.there[which], stage=Stage.EXITED, finished_at=self.now, exit_code=code)

    def suffer(self, mishap: Mishap) -> None:
        everything = sorted(self.there)
        which = everything[mishap.who % len(everything)] if everything else None
        match mishap.kind:
            case "exit" if which is not None:
                self.end(which, mishap.code)
            case "vanish" if which is not None:
                if self.there.pop(which).stage in ALIVE:
                    self.lost.add(which)
            case "pause" if which is not None and self.there[which].stage is Stage.RUNNING:
                self.there[which] = replace(self.there[which], stage=Stage.PAUSED)
            case "forget":
                # Who ended in an outage that nobody remembers cannot be told from who ended by itself.
                self.lost -= {each for each, seen in self.there.items() if seen.stage is Stage.EXITED}
                self.known, self.outage, self.unwatched = dict(self.reported), None, True
            case "outage":
                began = self.now
                for each, seen in list(self.there.items()):
                    if seen.stage in ALIVE:
                        self.end(each, mishap.code)
                        self.lost.add(each)
                self.now += 5.0
                self.outage = Outage(began=began, ended=self.now)

    def settle(self, mishaps: list[Mishap], ends: list[int], limit: int) -> Rest:
        """Walk until nothing is left to do and nothing more happens."""
        waiting, codes = deque(mishaps), deque(ends)
        for _ in range(limit):
            mishap = waiting.popleft() if waiting else Mishap("none")
            self.suffer(mishap)
            self.now += 0.01
            match self.look():
                case Rest(until=until, settled=settled) as rest:
                    self.reported = dict(self.known)
                    running = [each.id for each in self.spec.init if self.stage(each) is Stage.RUNNING]
                    if until is not None:
                        self.now = max(self.now, until)
                    elif not settled:
                        assert running, "it waits for something that cannot happen"
                        self.end(running[0], codes.popleft() if codes else 0)
                    elif not waiting:
                        return rest
                case step:
                    if mishap.kind == "fails before":
                        continue
                    if self.take(step) and mishap.kind != "fails after":
                        self.known = convergence.taken(step, self.spec, self.known)
        raise AssertionError(f"no rest after {limit} steps: {self}")

    def stage(self, one: Container) -> Stage:
        return self.there[one.id].stage if one.id in self.there else Stage.ABSENT


policies = st.none() | st.builds(
    RestartPolicy, name=st.sampled_from(RestartName), maximum=st.integers(min_value=0, max_value=3)
)
codes = st.sampled_from([0, 0, 1, 137, 255])
mishaps = st.lists(
    st.builds(
        Mishap,
        kind=st.sampled_from(
            ["none", "none", "fails before", "fails after", "exit", "vanish", "pause", "forget", "outage"]
        ),
        who=st.integers(min_value=0, max_value=4),
        code=codes,
    ),
    max_size=14,
)


@st.composite
def observed(draw: st.DrawFn, of: Container, restarts: int) -> Observation:
    stage = draw(st.sampled_from([Stage.CREATED, Stage.RUNNING, Stage.PAUSED, Stage.EXITED]))
    epoch = draw(st.sampled_from([EPOCH, EPOCH, EPOCH, EPOCH - 1]))
    seen = observation(
        of, stage, capsule_id=CAPSULE, epoch=epoch, restarts=draw(st.integers(min_value=0, max_value=restarts))
    )
    if stage is Stage.CREATED:
        return seen
    seen = replace(seen, started_at=draw(st.sampled_from([500.0, 980.0])))
    return replace(seen, finished_at=985.0, exit_code=draw(codes)) if stage is Stage.EXITED else seen


@st.composite
def remembered(draw: st.DrawFn, of: Container, restarts: int) -> ContainerStatus:
    last = draw(st.none() | observed(of, restarts))
    if last is not None:
        last = replace(last, epoch=EPOCH)
        if draw(st.booleans()):
            last = replace(last, stage=Stage.ABSENT)
    return ContainerStatus(
        observed=last,
        restarts=draw(st.integers(min_value=0, max_value=restarts)),
        attempts=draw(st.integers(min_value=0, max_value=5)),
        interrupted=last is not None and last.stage is Stage.EXITED and draw(st.booleans()),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    restarts = draw(st.integers(min_value=0, max_value=2))
    regular = [container(id=ContainerId(f"c{i}"), restart=draw(policies)) for i in range(draw(st.integers(1, 3)))]
    init = [container(id=ContainerId(f"i{i}"), restart=draw(policies)) for i in range(draw(st.integers(0, 2)))]
    wanted = spec(
        *regular,
        init=tuple(init),
        desired=draw(st.sampled_from(Desired)),
        restarts=restarts,
        stop_timeout=draw(st.sampled_from([0, 10])),
    )
    there = {each.id: draw(observed(each, restarts)) for each in wanted.all() if draw(st.booleans())}
    if draw(st.booleans()):
        stranger = container(id=ContainerId("stranger"))
        there[stranger.id] = draw(observed(stranger, restarts))
    known = {each.id: draw(remembered(each, restarts)) for each in wanted.all() if draw(st.booleans())}
    return World(spec=wanted, there=there, known=known, reported=dict(known))


def limit(world: World, happens: list[Mishap], ends: list[int]) -> int:
    """A handful of steps for every container, and for everything that goes wrong."""
    return 8 * len(list(world.spec.all())) + 8 * len(happens) + 4 * len(ends) + 8


def answered_before(world: World) -> set[ContainerId]:
    """Those whose last start that was asked for had happened before the world began."""
    started = {
        each.container_id
        for each in world.there.values()
        if each.epoch == EPOCH and each.started_at is not None and each.restarts == world.spec.restarts
    }
    return started | {each for each, status in world.known.items() if status.restarts == world.spec.restarts}


@settings(max_examples=200)
@given(world=worlds(), happens=mishaps, ends=st.lists(codes, max_size=4))
def test_whatever_happens_it_comes_to_rest_where_it_was_asked_to_be(
    world: World, happens: list[Mishap], ends: list[int]
) -> None:
    answered = answered_before(world)
    rest = world.settle(happens, ends, limit(world, happens, ends))

    wanted = {each.id for each in world.spec.all()}
    assert set(world.there) <= wanted, "something that nobody asked for is left"
    assert all(seen.epoch == EPOCH for seen in world.there.values()), "something of an earlier assignment is left"
    match world.spec.desired:
        case Desired.DELETED:
            assert world.there == {}
        case Desired.STOPPED:
            assert not any(seen.stage in ALIVE for seen in world.there.values())
        case Desired.CREATED:
            assert all(world.stage(each) in (Stage.CREATED, Stage.EXITED) for each in world.spec.containers)
            assert not any(world.stage(each) in ALIVE for each in world.spec.init)
        case _ if rest.failure is not None:
            assert any(has_failed(world, each) for each in world.spec.init)
        case running_or_paused:
            expected = Stage.PAUSED if running_or_paused is Desired.PAUSED else Stage.RUNNING
            for each in world.spec.containers:
                assert world.stage(each) is expected or is_over(world, each)
                assert each.id in world.fresh | answered, "a start that was asked for is lost"
            assert not any(world.stage(each) in ALIVE for each in world.spec.init)


def is_over(world: World, one: Container) -> bool:
    """It ended by itself, and its policy leaves it at that."""
    status = world.known[one.id]
    return (
        one.id not in world.lost
        and status.observed is not None
        and status.observed.finished_at is not None
        and restart.due(one.restart, status.observed, status) is None
    )


def has_failed(world: World, one: Container) -> bool:
    return world.stage(one) is Stage.EXITED and world.there[one.id].exit_code != 0 and one.id not in world.lost


@settings(max_examples=50)
@given(world=worlds(), happens=mishaps, ends=st.lists(codes, max_size=4))
def test_at_rest_looking_again_changes_nothing(world: World, happens: list[Mishap], ends: list[int]) -> None:
    rest = world.settle(happens, ends, limit(world, happens, ends))
    known = world.known
    assert world.look() == rest
    assert world.known == known


@settings(max_examples=50)
@given(world=worlds(), happens=mishaps, ends=st.lists(codes, max_size=4))
def test_one_more_asked_for_start_is_one_more_start(world: World, happens: list[Mishap], ends: list[int]) -> None:
    world.settle(happens, ends, limit(world, happens, ends))
    world.spec = replace(world.spec, desired=Desired.RUNNING, restarts=world.spec.restarts + 1)
    world.fresh.clear()
    rest = world.settle([], [], limit(world, [], []))
    if rest.failure is None:
        assert world.fresh >= {each.id for each in world.spec.containers}


@settings(max_examples=50)
@given(
    world=worlds(),
    happens=mishaps,
    ends=st.lists(codes, max_size=4),
    then=st.lists(st.sampled_from(Desired), max_size=5),
)
def test_whatever_is_asked_one_after_the_other_the_last_counts(
    world: World, happens: list[Mishap], ends: list[int], then: list[Desired]
) -> None:
    for desired in [*then, Desired.DELETED]:
        bump = 1 if desired is Desired.RUNNING else 0
        world.spec = replace(world.spec, desired=desired, restarts=world.spec.restarts + bump)
        # Interrupted by the next wish wherever it stands.
        for mishap in happens[:3]:
            world.suffer(mishap)
            step = world.look()
            if not isinstance(step, Rest) and world.take(step):
                world.known = convergence.taken(step, world.spec, world.known)
    world.settle(happens, ends, limit(world, happens, ends))
    assert world.there == {}


def test_what_an_outage_ended_and_what_then_vanished_is_made_again() -> None:
    one = container()
    world = World(spec=spec(one), there={}, known={})
    world.settle([], [], 9)
    world.suffer(Mishap("outage", code=137))
    world.look()
    world.suffer(Mishap("vanish"))
    world.settle([], [], 9)
    assert world.stage(one) is Stage.RUNNING


def test_a_command_that_ends_with_the_code_of_a_lost_run_is_left_alone() -> None:
    one = container()
    world = World(spec=spec(one), there={}, known={})
    world.settle([], [], 9)
    world.suffer(Mishap("exit", code=255))
    world.settle([], [], 9)
    assert world.stage(one) is Stage.EXITED
