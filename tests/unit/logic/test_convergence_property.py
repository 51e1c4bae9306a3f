"""From every reachable mix of spec, memory and runtime, one step at a time comes to rest, and at rest what runs is what was asked."""

from collections import deque
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from higgins.logic import convergence, restart
from higgins.logic.convergence import (
    Create,
    Heal,
    Outage,
    Pause,
    Plug,
    Prepare,
    Remove,
    Rest,
    Shelter,
    Start,
    Step,
    Stop,
    Unpause,
    Unplug,
    Update,
    Wires,
)
from higgins.model.capsule import (
    CapsuleSpec,
    Condition,
    Container,
    ContainerStatus,
    Desired,
    Health,
    Observation,
    Resources,
    RestartName,
    RestartPolicy,
    Stage,
)
from higgins.model.ids import CapsuleId, ContainerId, NetworkId, PortId
from higgins.model.network import Port
from higgins.testing.builders import container, observation, spec

EPOCH = 3
CAPSULE = CapsuleId("capsule")
ALIVE = (Stage.RUNNING, Stage.PAUSED)
UP = (Desired.RUNNING, Desired.PAUSED)
ILL = Health(condition=Condition.UNHEALTHY, failures=3)
SMALL, LARGE = Resources(cpu=0.5, memory=64), Resources(cpu=2.0, memory=512)


def a_port(number: int, form: int = 0) -> Port:
    return Port(
        id=PortId(f"p{number}"),
        network_id=NetworkId("n"),
        mac="02:00:00:00:00:01",
        addresses=(f"10.0.0.{number + 2}",),
        subnet="10.0.0.0/24",
        gateway="10.0.0.1",
        interface=f"eth{number}",
        names=(f"form-{form}",),
    )


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
    """The time of day, which may jump."""
    steady: float = 0.0
    since: dict[ContainerId, tuple[object, float]] = field(default_factory=dict)
    content: bool = False
    outage: Outage | None = None
    unwatched: bool = True
    fresh: set[ContainerId] = field(default_factory=set)
    """Started, as far as the runtime is concerned, since the world began."""
    lost: set[ContainerId] = field(default_factory=set)
    """The last run did not end by itself, and the host had a chance to know that."""
    ended: set[ContainerId] = field(default_factory=set)
    """The host itself ended the last run, to begin another."""
    reported: dict[ContainerId, ContainerStatus] = field(default_factory=dict)
    built: int = 0
    """How many sandboxes there have been."""
    stood: int = 0
    """How often one has been started."""
    joins: dict[ContainerId, int] = field(default_factory=dict)
    """Which sandbox each container was made in."""
    within: dict[ContainerId, int] = field(default_factory=dict)
    """Which start of a sandbox each run is in."""
    warm: bool = False
    """Sandboxes run as soon as they are made."""
    ports: tuple[Port, ...] = ()
    """What shall be plugged in."""
    behind: bool = False
    plugged: dict[PortId, tuple[str, Port | None]] = field(default_factory=dict)
    """What is, with its namespace; None: only in part."""
    forms: dict[PortId, Port] = field(default_factory=dict)
    """As the host remembers it."""

    def namespace(self) -> str | None:
        sandbox = self.there.get(self.spec.sandbox) if self.spec.sandbox is not None else None
        return f"net:{self.stood}" if sandbox is not None and sandbox.stage in ALIVE else None

    def wired(self) -> bool:
        """What is plugged in is what shall be."""
        namespace = self.namespace()
        return self.plugged == {port.id: (namespace, port) for port in self.ports if namespace is not None}

    def wires(self) -> Wires:
        return Wires(
            wanted=self.ports,
            behind=self.behind,
            namespace=self.namespace(),
            plugged={port_id: namespace for port_id, (namespace, _) in self.plugged.items()},
            forms=self.forms,
        )

    def stands(self) -> bool:
        sandbox = self.spec.sandbox
        return sandbox is None or (sandbox in self.there and self.there[sandbox].stage in ALIVE)

    def look(self) -> Step | Rest:
        self.known = convergence.absorb(self.spec, EPOCH, self.there, self.known, self.outage, unwatched=self.unwatched)
        self.unwatched = False
        return convergence.next_step(
            self.spec, EPOCH, self.there, self.known, self.waited(), self.wires(), content=self.content
        )

    def waited(self) -> dict[ContainerId, float]:
        states = {each: (seen.stage, seen.started_at, seen.finished_at) for each, seen in self.there.items()}
        known = {each: state for each, state in self.since.items() if states.get(each) == state[0]}
        self.since = {each: known.get(each, (state, self.steady)) for each, state in states.items()}
        return {each: self.steady - began for each, (_, began) in self.since.items()}

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.steady += seconds

    def take(self, step: Step) -> bool:
        """Whether the runtime did it."""
        match step:
            case Shelter(sandbox=made):
                self.built += 1
                self.there[made] = observation(container(id=made), Stage.CREATED, capsule_id=CAPSULE, epoch=EPOCH)
                if self.warm:
                    self.stood += 1
                    self.there[made] = replace(self.there[made], stage=Stage.RUNNING, started_at=self.now)
            case Plug(port=port):
                namespace = self.namespace()
                if namespace is None:
                    return False
                self.plugged[port.id] = namespace, port
            case Unplug(port_id=port_id):
                self.plugged.pop(port_id, None)
            case Create(container=made):
                if made.id not in self.there:
                    if self.spec.sandbox is not None and self.spec.sandbox not in self.there:
                        return False
                    self.joins[made.id] = self.built
                    self.there[made.id] = observation(
                        made,
                        Stage.CREATED,
                        capsule_id=CAPSULE,
                        epoch=EPOCH,
                        restarts=self.spec.restarts,
                        rebuilds=self.spec.rebuilds,
                        limits=made.limits,
                    )
            case Start(container_id=which):
                if which not in self.there or self.there[which].stage is Stage.PAUSED:
                    return False
                if self.there[which].stage is not Stage.RUNNING:
                    if which == self.spec.sandbox:
                        self.stood += 1
                    elif not self.stands() or self.joins.get(which, self.built) != self.built:
                        return False
                    else:
                        assert self.wired(), "it starts before it has its networks"
                    self.within[which] = self.stood
                    self.fresh.add(which)
                    self.lost.discard(which)
                    self.ended.discard(which)
                    self.there[which] = replace(
                        self.there[which],
                        stage=Stage.RUNNING,
                        started_at=self.now,
                        finished_at=None,
                        exit_code=None,
                        health=None,
                    )
            case Stop(container_id=which):
                assert which != self.spec.sandbox or self.plugged == {}, "its sandbox goes before its ports"
                if self.spec.desired in UP:
                    self.ended.add(which)
                self.end(which, 137)
            case Remove(container_id=which):
                if which == self.spec.sandbox and self.there[which].stage in ALIVE:
                    assert self.plugged == {}, "its sandbox goes before its ports"
                gone = self.there.pop(which, None)
                if gone is not None and gone.epoch == EPOCH and self.spec.desired in UP and which in self.known:
                    known = self.known[which]
                    ready = not self.spec.outdates(gone) or known.prepared == self.spec.rebuilds
                    homeless = self.spec.sandbox is not None and self.spec.sandbox not in self.there
                    assert ready or known.healing or homeless, "it goes before the next is at hand"
            case Update(container_id=which, limits=limits):
                if which not in self.there:
                    return False
                self.there[which] = replace(self.there[which], limits=limits)
            case Prepare() | Heal():
                pass  # Nothing about what is there.
            case Pause(container_id=which) | Unpause(container_id=which):
                if which not in self.there or self.there[which].stage not in ALIVE:
                    return False
                stage = Stage.PAUSED if isinstance(step, Pause) else Stage.RUNNING
                self.there[which] = replace(self.there[which], stage=stage)
        return True

    def end(self, which: ContainerId, code: int) -> None:
        if which in self.there and self.there[which].stage in ALIVE:
            self.there[which] = replace(self.there[which], stage=Stage.EXITED, finished_at=self.now, exit_code=code)
            self.unwire(which, code)

    def unwire(self, which: ContainerId, code: int) -> None:
        """The namespace goes with its sandbox, and takes most of what was plugged into it along."""
        if which == self.spec.sandbox:
            self.plugged = dict.fromkeys(self.plugged, ("", None)) if code else {}

    def suffer(self, mishap: Mishap) -> None:
        everything = sorted(self.there)
        which = everything[mishap.who % len(everything)] if everything else None
        match mishap.kind:
            case "exit" if which is not None:
                self.end(which, mishap.code)
            case "vanish" if which is not None:
                if self.there.pop(which).stage in ALIVE:
                    self.lost.add(which)
                    self.unwire(which, mishap.code)
            case "networks" if self.spec.sandbox is not None:
                self.behind = True
            case "allotted" if self.spec.sandbox is not None:
                self.ports = tuple(a_port(number, mishap.code) for number in range(4) if 1 << number & 5 + mishap.who)
                self.behind = False
            case "unplugged" if self.plugged:
                del self.plugged[sorted(self.plugged)[mishap.who % len(self.plugged)]]
            case "ill" if which not in (None, self.spec.sandbox) and self.there[which].stage is Stage.RUNNING:
                self.there[which] = replace(self.there[which], health=ILL)
            case "clock":
                self.now += 40_000.0 if mishap.who % 2 else -40_000.0
                # The times of an outage say nothing about what happens now; what was judged by them before, is.
                self.outage = None
                self.lost -= {each for each, seen in self.there.items() if not self.judged(each, seen)}
            case "pause" if which is not None and self.there[which].stage is Stage.RUNNING:
                self.there[which] = replace(self.there[which], stage=Stage.PAUSED)
            case "forget":
                # Who ended in an outage that nobody remembers cannot be told from who ended by itself.
                self.lost -= {each for each, seen in self.there.items() if seen.stage is Stage.EXITED}
                self.known, self.outage, self.unwatched, self.since = dict(self.reported), None, True, {}
                self.forms = {}
            case "outage":
                began = self.now
                for each, seen in list(self.there.items()):
                    if seen.stage in ALIVE:
                        self.end(each, mishap.code)
                        self.lost.add(each)
                self.wait(5.0)
                self.outage = Outage(began=began, ended=self.now)

    def judged(self, which: ContainerId, seen: Observation) -> bool:
        status = self.known.get(which)
        return seen.stage is not Stage.EXITED or (status is not None and status.interrupted)

    def settle(self, mishaps: list[Mishap], ends: list[int], limit: int) -> Rest:
        """Walk until nothing is left to do and nothing more happens."""
        waiting, codes = deque(mishaps), deque(ends)
        for _ in range(limit):
            mishap = waiting.popleft() if waiting else Mishap("none")
            self.suffer(mishap)
            self.wait(0.01)
            match self.look():
                case Rest(again=again, settled=settled) as rest:
                    self.reported = dict(self.known)
                    running = [each.id for each in self.spec.init if self.stage(each) is Stage.RUNNING]
                    if again is not None:
                        assert again <= 300.0, "it waits longer than any pause is"
                        self.wait(again)
                    elif not settled and running:
                        self.end(running[0], codes.popleft() if codes else 0)
                    elif not settled:
                        assert self.behind, "it waits for something that cannot happen"
                        self.behind = False
                    elif not waiting:
                        return rest
                case step:
                    if mishap.kind == "fails before":
                        continue
                    if self.take(step) and mishap.kind != "fails after":
                        self.known = convergence.taken(step, self.spec, self.known)
                        if isinstance(step, Plug):
                            self.forms[step.port.id] = step.port
                        if isinstance(step, Prepare | Heal):
                            self.reported = dict(self.known)
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
            [
                *("none", "none", "fails before", "fails after", "exit", "vanish", "pause", "forget", "outage"),
                *("ill", "ill", "clock", "networks", "allotted", "unplugged"),
            ]
        ),
        who=st.integers(min_value=0, max_value=4),
        code=codes,
    ),
    max_size=14,
)


@st.composite
def observed(draw: st.DrawFn, of: Container, restarts: int, rebuilds: int) -> Observation:
    stage = draw(st.sampled_from([Stage.CREATED, Stage.RUNNING, Stage.PAUSED, Stage.EXITED]))
    epoch = draw(st.sampled_from([EPOCH, EPOCH, EPOCH, EPOCH - 1]))
    seen = observation(
        of,
        stage,
        capsule_id=CAPSULE,
        epoch=epoch,
        restarts=draw(st.integers(min_value=0, max_value=restarts)),
        rebuilds=draw(st.integers(min_value=0, max_value=rebuilds)),
        limits=draw(st.sampled_from([None, SMALL, LARGE])),
        health=draw(st.sampled_from([None, None, ILL])) if stage is Stage.RUNNING else None,
    )
    if stage is Stage.CREATED:
        return seen
    seen = replace(seen, started_at=draw(st.sampled_from([500.0, 980.0])))
    return replace(seen, finished_at=985.0, exit_code=draw(codes)) if stage is Stage.EXITED else seen


@st.composite
def remembered(draw: st.DrawFn, of: Container, restarts: int, rebuilds: int) -> ContainerStatus:
    last = draw(st.none() | observed(of, restarts, rebuilds))
    if last is not None:
        last = replace(last, epoch=EPOCH)
        if draw(st.booleans()):
            last = replace(last, stage=Stage.ABSENT)
    return ContainerStatus(
        observed=last,
        restarts=draw(st.integers(min_value=0, max_value=restarts)),
        attempts=draw(st.integers(min_value=0, max_value=5)),
        interrupted=last is not None and last.stage is Stage.EXITED and draw(st.booleans()),
        heals=draw(st.integers(min_value=0, max_value=3)),
        prepared=draw(st.sampled_from([0, rebuilds])),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    restarts = draw(st.integers(min_value=0, max_value=2))
    rebuilds = draw(st.sampled_from([0, 0, 1]))
    regular = [
        container(id=ContainerId(f"c{i}"), restart=draw(policies), limits=SMALL) for i in range(draw(st.integers(1, 3)))
    ]
    init = [container(id=ContainerId(f"i{i}"), restart=draw(policies)) for i in range(draw(st.integers(0, 2)))]
    sandbox = ContainerId("sandbox") if draw(st.booleans()) else None
    wanted = spec(
        *regular,
        init=tuple(init),
        sandbox=sandbox,
        desired=draw(st.sampled_from(Desired)),
        restarts=restarts,
        rebuilds=rebuilds,
        auto_heal=draw(st.booleans()),
        stop_timeout=draw(st.sampled_from([0, 10])),
    )
    there = {each.id: draw(observed(each, restarts, rebuilds)) for each in wanted.all() if draw(st.booleans())}
    if draw(st.booleans()):
        stranger = container(id=ContainerId("stranger"))
        there[stranger.id] = draw(observed(stranger, restarts, rebuilds))
    known = {each.id: draw(remembered(each, restarts, rebuilds)) for each in wanted.all() if draw(st.booleans())}
    world = World(spec=wanted, there=there, known=known, reported=dict(known))
    if sandbox is not None:
        world.warm = draw(st.booleans())
        world.ports = tuple(a_port(number) for number in draw(st.sets(st.integers(0, 3), max_size=3)))
        inside = {each for each, seen in there.items() if seen.epoch == EPOCH}
        if draw(st.booleans()):
            there[sandbox] = replace(
                draw(observed(container(id=sandbox), restarts, rebuilds)),
                epoch=draw(st.sampled_from([EPOCH, EPOCH, EPOCH - 1])),
                health=None,
            )
            world.built, world.stood = 1, 1
        for number in draw(st.sets(st.integers(0, 3), max_size=3)):
            here, whole = draw(st.sampled_from([("net:0", True), ("net:1", True), ("", False)]))
            world.plugged[PortId(f"p{number}")] = here, a_port(number, form=7) if whole else None
        # What is inside one that has fallen was in an earlier one, or in an earlier start of it.
        world.joins = dict.fromkeys(inside, world.built)
        world.within = dict.fromkeys(inside, world.stood if world.stands() else -1)
    return world


def limit(world: World, happens: list[Mishap], ends: list[int]) -> int:
    """A handful of steps for every container, and for everything that goes wrong."""
    return 16 * len(list(world.spec.ids())) + 12 * len(happens) + 4 * len(ends) + 4 * len(world.ports) + 12


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

    wanted = set(world.spec.ids())
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
            alive = [each.id for each in world.spec.containers if world.stage(each) in ALIVE]
            assert world.stands() or not alive, "they have no network"
            if world.spec.sandbox is not None:
                assert all(world.within[each] == world.stood for each in alive), "one runs where a sandbox once stood"
            if running_or_paused is Desired.RUNNING and world.spec.auto_heal:
                assert not any(seen.health is ILL and seen.stage is Stage.RUNNING for seen in world.there.values())
    if world.spec.sandbox is not None:
        assert world.wired(), "it is on other networks than it should be"
        assert not world.behind or world.spec.desired is Desired.DELETED, "it settles before it knows its networks"
    for each in world.spec.containers if rest.failure is None else ():
        if each.id in world.there:
            assert world.there[each.id].rebuilds == world.spec.rebuilds, "it is not made of what was asked for"
            assert world.there[each.id].limits in (None, each.limits)


def is_over(world: World, one: Container) -> bool:
    """It ended by itself, and its policy leaves it at that."""
    status = world.known[one.id]
    return (
        one.id not in world.lost | world.ended
        and status.observed is not None
        and status.observed.finished_at is not None
        and restart.pause(one.restart, status.observed, status) is None
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
    assert world.plugged == {}


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


def test_what_ran_while_the_clock_was_set_back_and_an_outage_then_ended_is_begun_again() -> None:
    one = container(limits=SMALL)
    world = World(spec=spec(one), there={}, known={})
    world.settle([Mishap("none"), Mishap("none"), Mishap("clock"), Mishap("outage", code=137)], [], 30)
    assert world.stage(one) is Stage.RUNNING


def test_what_ended_while_the_clock_was_set_back_is_started_again_after_its_pause_not_hours_later() -> None:
    one = container(limits=SMALL, restart=RestartPolicy(name=RestartName.ALWAYS))
    world = World(spec=spec(one), there={}, known={})
    world.settle([], [], 9)
    world.suffer(Mishap("exit", code=1))
    before = world.steady
    world.settle([Mishap("clock")], [], 30)
    assert world.stage(one) is Stage.RUNNING
    assert world.steady - before < 1.0


def test_a_clock_that_is_hours_behind_that_of_the_runtime_ends_no_pause() -> None:
    one = container(limits=SMALL, restart=RestartPolicy(name=RestartName.ALWAYS))
    ended = {one.id: replace(observation(one, Stage.EXITED, exit_code=1), finished_at=9_000_000_000.0)}
    known = convergence.absorb(spec(one), 1, ended, {one.id: ContainerStatus(attempts=4)})
    ahead = convergence.next_step(spec(one), 1, ended, known, {one.id: 0.0})
    assert isinstance(ahead, Rest)
    assert ahead.again is not None


def test_one_that_stays_unhealthy_is_made_again_with_growing_pauses() -> None:
    one = container(limits=SMALL)
    world = World(spec=spec(one, auto_heal=True), there={}, known={})
    world.settle([], [], 9)
    gaps = []
    for _ in range(8):
        begun = world.steady
        world.suffer(Mishap("ill"))
        world.settle([], [], 30)
        gaps.append(round(world.steady - begun))
    assert gaps == [0, 5, 10, 20, 40, 80, 160, 300]


def test_one_that_was_well_for_long_is_made_again_at_once() -> None:
    one = container(limits=SMALL)
    world = World(spec=spec(one, auto_heal=True), there={}, known={one.id: ContainerStatus(heals=7)})
    world.settle([], [], 9)
    world.wait(601.0)
    world.suffer(Mishap("ill"))
    world.settle([], [], 30)
    assert world.known[one.id].heals == 1


def test_without_asking_for_it_nobody_is_made_again_for_being_unhealthy() -> None:
    one = container(limits=SMALL)
    world = World(spec=spec(one), there={}, known={})
    world.settle([], [], 9)
    world.suffer(Mishap("ill"))
    assert world.look() == Rest()


def test_what_cannot_be_rebuilt_runs_on_and_is_kept_running() -> None:
    one = container(limits=SMALL, restart=RestartPolicy(name=RestartName.ALWAYS))
    world = World(spec=spec(one), there={}, known={})
    world.settle([], [], 9)
    world.spec = replace(world.spec, rebuilds=1, restarts=1)
    assert world.look() == Prepare(container=one)
    world.content = True  # Its image cannot be had.
    world.fresh.clear()
    world.settle([], [], 30)
    assert not world.fresh, "it was started afresh for nothing"
    world.settle([Mishap("exit", code=1)], [], 30)
    assert world.stage(one) is Stage.RUNNING
    assert world.there[one.id].rebuilds == 0
