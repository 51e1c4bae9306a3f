"""A worker on a runtime in memory: what it does when newer work, failures and hints come at the wrong moment."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from higgins import errors
from higgins.agent.holds import Holds
from higgins.agent.reporter import Reporter
from higgins.agent.shelf import Shelf
from higgins.agent.worker import Worker, Workplace
from higgins.aio.beside import beside
from higgins.link.messages import Work
from higgins.model.capsule import CapsuleSpec, CapsuleStatus, Container, Desired, PullPolicy, Stage
from higgins.model.ids import CapsuleId, ContainerId, ProjectId
from higgins.model.network import Port
from higgins.testing.builders import container, port, spec, wish
from higgins.testing.images import FakeImages
from higgins.testing.networks import FakePlug
from higgins.testing.runtime import FakeRuntime
from tests.patience import PATIENCE


class Told(Reporter):
    """Keeps all that is reported."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[tuple[int, CapsuleStatus]] = []

    def report(self, capsule_id: CapsuleId, epoch: int, status: CapsuleStatus) -> None:
        self.all.append((epoch, status))
        super().report(capsule_id, epoch, status)


class Bench:
    """A worker at work."""

    def __init__(
        self, wanted: CapsuleSpec, images: FakeImages | None = None, *ports: Port, plug: FakePlug | None = None
    ) -> None:
        self.images = images or FakeImages(present=("busybox",))
        self.runtime = FakeRuntime(images=self.images, clock=time.time)
        self.shelf = Shelf(self.images)
        self.told = Told()
        self.holds = Holds()
        place = Workplace(
            runtime=self.runtime,
            shelf=self.shelf,
            reporter=self.told,
            clock=time.time,
            holds=self.holds,
            plug=plug,
        )
        if plug is not None:
            plug.gone = self.runtime.gone
        self.place = place
        self.worker = Worker(work(wanted, ports=ports), place)

    @property
    def last(self) -> CapsuleStatus:
        return self.told.all[-1][1]

    async def until_settled(self, generation: int) -> CapsuleStatus:
        try:
            async with asyncio.timeout(PATIENCE):
                while not (self.told.all and self.last.settled and self.last.generation == generation):
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"never settled on {generation}; was told {self.told.all}") from None
        return self.last


def work(
    wanted: CapsuleSpec,
    epoch: int = 1,
    status: CapsuleStatus | None = None,
    ports: tuple[Port, ...] = (),
    attachments: int = 0,
) -> Work:
    return Work(
        capsule_id=CapsuleId(wanted.containers[0].id),
        project_id=ProjectId("p1"),
        epoch=epoch,
        spec=wanted,
        status=status or CapsuleStatus(),
        ports=ports,
        attachments=attachments,
    )


def newer(wanted: CapsuleSpec, **changes: object) -> CapsuleSpec:
    return replace(wanted, generation=wanted.generation + 1, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def at_work(bench: Bench) -> AsyncIterator[Bench]:
    async with bench.shelf.open(), beside() as start:
        start(bench.worker.run())
        yield bench


@pytest.fixture
def one() -> Container:
    return container()


async def test_a_permanent_failure_of_old_work_says_nothing_about_newer(one: Container) -> None:
    wanted = spec(replace(one, command=("no-such-command",)))
    bench = Bench(wanted)
    bench.runtime.slow("start", 0.1)
    async with at_work(bench):
        await asyncio.sleep(0.05)
        bench.worker.assign(work(newer(wanted, desired=Desired.DELETED, stop_timeout=0)))
        assert not (await bench.until_settled(2)).failed
    assert await bench.runtime.list() == {}


async def test_work_of_a_newer_epoch_starts_anew_and_old_news_are_not_told_under_it(one: Container) -> None:
    wanted = spec(one)
    bench = Bench(wanted)
    async with at_work(bench):
        await bench.until_settled(1)
        bench.runtime.slow("list", 0.05)
        bench.worker.hint()
        await asyncio.sleep(0.02)
        bench.worker.assign(work(wanted, epoch=2))
        await bench.until_settled(1)
        async with asyncio.timeout(PATIENCE):
            while {seen.epoch for seen in (await bench.runtime.list()).values()} != {2}:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
    for epoch, status in bench.told.all:
        for known in status.containers.values():
            assert known.observed is None or known.observed.epoch == epoch


async def test_hints_do_not_shorten_the_pause_after_a_failure(one: Container) -> None:
    bench = Bench(spec(one))
    bench.runtime.fail("create", errors.Unavailable("no"), times=10_000)
    async with at_work(bench):
        for _ in range(60):
            bench.worker.hint()
            await asyncio.sleep(0.01)
    assert bench.runtime.count("create") <= 3


async def test_newer_work_and_a_runtime_that_is_back_do(one: Container) -> None:
    wanted = spec(one)
    bench = Bench(wanted)
    bench.runtime.fail("create", errors.Unavailable("no"), times=2)
    async with at_work(bench):
        await asyncio.sleep(0.02)
        bench.worker.assign(work(newer(wanted)))
        await asyncio.sleep(0.02)
        bench.worker.retry()
        await asyncio.sleep(0.05)
        assert bench.last.settled


async def test_what_failed_for_good_is_not_tried_again_not_even_by_the_next_agent(one: Container) -> None:
    wanted = spec(replace(one, command=("no-such-command",)))
    bench = Bench(wanted)
    async with at_work(bench):
        failed = await bench.until_settled(1)
        assert failed.failed
    again = Bench(wanted)
    again.worker = Worker(work(wanted, status=failed), again.worker._place)
    async with at_work(again):
        for _ in range(20):
            again.worker.hint()
            await asyncio.sleep(0.005)
    assert again.runtime.count("create") == 0


async def test_older_work_is_ignored(one: Container) -> None:
    wanted = newer(spec(one, desired=Desired.STOPPED))
    bench = Bench(wanted)
    async with at_work(bench):
        await bench.until_settled(2)
        bench.worker.assign(work(replace(wanted, generation=1, desired=Desired.RUNNING)))
        await asyncio.sleep(0.05)
    assert await bench.runtime.list() == {}


async def test_what_the_control_plane_has_forgotten_is_told_again(one: Container) -> None:
    wanted = spec(one)
    bench = Bench(wanted)
    async with at_work(bench):
        settled = await bench.until_settled(1)
        told = len(bench.told.all)
        bench.worker.assign(work(wanted, status=settled))
        assert len(bench.told.all) == told
        bench.worker.assign(work(wanted, status=CapsuleStatus()))
        assert len(bench.told.all) == told + 1


async def test_a_repair_is_never_reported_as_something_under_way(one: Container) -> None:
    """Nothing waits for it, so nothing would ever end it."""
    bench = Bench(spec(one))
    async with at_work(bench):
        await bench.until_settled(1)
        before = len(bench.told.all)
        bench.images.forget("busybox")
        bench.images.fail("fetch", errors.Unavailable("away"), times=99)
        bench.runtime.forget(one.id)
        bench.worker.hint()
        await asyncio.sleep(0.1)
        told = [status for _, status in bench.told.all[before:]]
        assert told and all(status.settled and status.generation == 1 for status in told)
        assert told[-1].reason == "away"


async def test_an_image_that_vanishes_right_after_each_fetch_is_not_fetched_without_pause(one: Container) -> None:
    bench = Bench(spec(replace(one, pull=PullPolicy.ALWAYS)), FakeImages(registry=("busybox",)))
    missing = errors.NotFound("gone", code="image-not-found")
    bench.runtime.fail("create", missing, times=10_000)
    async with at_work(bench):
        await asyncio.sleep(0.3)
    assert bench.images.count("fetch") <= 2


async def test_something_unforeseen_is_told_and_tried_again(one: Container) -> None:
    bench = Bench(spec(one))
    bench.runtime.fail("create", ZeroDivisionError("a bug"))
    async with at_work(bench):
        await asyncio.sleep(0.05)
        assert "ZeroDivisionError" in (bench.last.reason or "")
        await bench.until_settled(1)
    assert (await bench.runtime.list())[one.id].stage is Stage.RUNNING


async def test_several_containers_run_side_by_side_after_those_that_come_first(one: Container) -> None:
    first, second = container(command=("true",)), container(command=("true",))
    other = container()
    bench = Bench(spec(one, other, init=(first, second)))
    async with at_work(bench):
        status = await bench.until_settled(1)
    assert {key: known.observed.stage for key, known in status.containers.items() if known.observed} == {
        first.id: Stage.EXITED,
        second.id: Stage.EXITED,
        one.id: Stage.RUNNING,
        other.id: Stage.RUNNING,
    }
    order = [seen.subject for seen in bench.runtime.seen if seen.method == "start"]
    assert order == [first.id, second.id, one.id, other.id]


async def test_where_one_that_comes_first_fails_the_others_do_not_start_until_a_fresh_start_is_asked_for(
    one: Container,
) -> None:
    first = container(command=("flaky",))
    bench = Bench(wanted := spec(one, init=(first,)))
    bench.runtime.behave(("flaky",), replace(bench.runtime._does(("false",)), exit_code=1))
    async with at_work(bench):
        status = await bench.until_settled(1)
        assert status.failed and first.name in (status.reason or "")
        bench.runtime.behave(("flaky",), bench.runtime._does(("true",)))
        bench.worker.assign(work(newer(wanted, restarts=1)))
        assert not (await bench.until_settled(2)).failed
    assert (await bench.runtime.list())[one.id].stage is Stage.RUNNING


async def test_what_the_runtime_freezes_to_make_an_image_is_let_be_and_runs_for_everybody_else(one: Container) -> None:
    async with at_work(Bench(spec(one, desired=Desired.RUNNING))) as bench:
        await bench.until_settled(1)
        with bench.holds.hold(one.id):
            await bench.runtime.pause(one.id)
            bench.worker.hint()
            await asyncio.sleep(0.05)
            assert (await bench.runtime.list())[one.id].stage is Stage.PAUSED
            seen = bench.last.containers[one.id].observed
            assert seen is not None and seen.stage is Stage.RUNNING
        bench.worker.hint()
        async with asyncio.timeout(PATIENCE):
            while (await bench.runtime.list())[one.id].stage is not Stage.RUNNING:
                await asyncio.sleep(0.005)


async def test_what_shall_be_paused_is_seen_as_it_is_while_an_image_is_made_of_it(one: Container) -> None:
    async with at_work(Bench(spec(one, desired=Desired.RUNNING))) as bench:
        await bench.until_settled(1)
        with bench.holds.hold(one.id):
            bench.worker.assign(work(newer(bench.worker.work.spec, desired=Desired.PAUSED)))
            await bench.until_settled(2)
            assert bench.runtime.count("pause") == 1


# Sandboxes.


def a_capsule(**said: object) -> CapsuleSpec:
    first = container(command=("true",))
    return spec(container(), container(), init=(first,), sandbox=ContainerId("sandbox"), **said)


async def test_containers_that_share_a_sandbox_are_made_in_it_and_outlived_by_it() -> None:
    wanted = a_capsule()
    bench = Bench(wanted)
    async with at_work(bench):
        status = await bench.until_settled(1)
        assert set(status.containers) == {each.id for each in wanted.all()}, "nobody asked for a status of the sandbox"
        there = await bench.runtime.list()
        assert {there[each].stage for each in wanted.ids() if each != wanted.init[0].id} == {Stage.RUNNING}
        assert bench.runtime.seen[1].method == "create_sandbox"
        bench.worker.assign(work(newer(wanted, desired=Desired.DELETED, stop_timeout=0)))
        await bench.until_settled(2)
    removed = [call.subject for call in bench.runtime.seen if call.method == "remove"]
    assert set(removed) == set(wanted.ids())
    assert removed[-1] == wanted.sandbox


@pytest.mark.parametrize("trouble", ["ends", "vanishes"])
async def test_containers_whose_sandbox_is_gone_move_into_another(trouble: str) -> None:
    wanted = a_capsule(stop_timeout=0)
    bench = Bench(wanted)
    assert wanted.sandbox is not None
    async with at_work(bench):
        await bench.until_settled(1)
        starts = dict(bench.runtime.starts)
        if trouble == "ends":
            bench.runtime.end(wanted.sandbox)
        else:
            bench.runtime.forget(wanted.sandbox)
        bench.worker.hint()
        async with asyncio.timeout(PATIENCE):
            while any(bench.runtime.starts[each.id] == starts[each.id] for each in wanted.containers):
                await asyncio.sleep(0.01)
        assert bench.runtime.starts[wanted.init[0].id] == 1, "it had run to its end"
        assert bench.runtime.starts[wanted.sandbox] == 2


async def test_a_sweep_that_misses_a_sandbox_sends_its_worker() -> None:
    wanted = a_capsule()
    bench = Bench(wanted)
    assert wanted.sandbox is not None
    async with at_work(bench):
        await bench.until_settled(1)
        bench.worker.compare(await bench.runtime.list())
        looks = bench.runtime.count("list")
        await asyncio.sleep(0.1)
        assert bench.runtime.count("list") == looks, "nothing had changed"
        bench.runtime.forget(wanted.sandbox)
        bench.worker.compare(await bench.runtime.list())
        async with asyncio.timeout(PATIENCE):
            while wanted.sandbox not in await bench.runtime.list():
                await asyncio.sleep(0.01)


# Networks.


class Wired:
    """A container alone on two networks, at work."""

    def __init__(self, **said: object) -> None:
        self.first, self.second = port(), port(interface="eth1")
        self.one = container(hostname="web")
        self.wanted = spec(
            self.one, sandbox=ContainerId("sandbox"), networks=(wish("blue"), wish("red")), stop_timeout=0, **said
        )
        self.plug = FakePlug()
        self.bench = Bench(self.wanted, None, self.first, self.second, plug=self.plug)

    async def shows(self, *ports: Port) -> None:
        """Wait until exactly these are plugged into the sandbox, as they are."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    sandbox = (await self.bench.runtime.list()).get(ContainerId("sandbox"))
                    where = f"net:[{self.plug.number or sandbox.pid}]" if sandbox is not None else ""
                    if self.plug.plugged == {each.id: (each, where) for each in ports}:
                        return
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"{self.plug.plugged} is plugged in; {self.bench.told.all[-2:]}") from None


async def test_ports_are_there_before_the_container_is_made_and_go_before_the_sandbox() -> None:
    wired = Wired()
    async with at_work(wired.bench) as bench:
        await bench.until_settled(1)
        await wired.shows(wired.first, wired.second)
        assert [step.name for step in bench.last.steps] == ["sandbox", "start", "plug", "plug", "create", "start"]
        there = await bench.runtime.list()
        assert there[wired.one.id].hostname == "web", "it is that of the sandbox"
        assert bench.runtime.bare == {"sandbox"}
        assert bench.runtime.introduced == {"sandbox": wired.first.addresses[0]}
        bench.worker.assign(work(newer(wired.wanted, desired=Desired.DELETED), ports=(wired.first, wired.second)))
        await bench.until_settled(2)
        assert [step.name for step in bench.last.steps] == ["remove", "unplug", "unplug", "remove"]
    assert wired.plug.plugged == {}


async def test_a_stop_takes_the_ports_away_and_a_start_brings_them_back() -> None:
    wired = Wired()
    both = wired.first, wired.second
    async with at_work(wired.bench) as bench:
        await bench.until_settled(1)
        bench.worker.assign(work(stopped := newer(wired.wanted, desired=Desired.STOPPED), ports=both))
        await bench.until_settled(2)
        assert wired.plug.plugged == {}
        bench.worker.assign(work(newer(stopped, desired=Desired.RUNNING, restarts=1), ports=both))
        await bench.until_settled(3)
        await wired.shows(*both)
        assert bench.runtime.count("create") == 1, "what it wrote is kept"


async def test_other_networks_are_attached_once_they_are_allotted_and_the_container_runs_on() -> None:
    wired, third = Wired(), port(interface="eth2")
    both = wired.first, wired.second
    async with at_work(wired.bench) as bench:
        await bench.until_settled(1)
        changed = newer(wired.wanted, networks=(wish("red"), wish("green")), attachments=1)
        bench.worker.assign(work(changed, ports=both))
        await asyncio.sleep(0.05)
        assert not bench.last.settled
        bench.worker.assign(work(changed, ports=(wired.second, third), attachments=1))
        await bench.until_settled(2)
        await wired.shows(wired.second, third)
        assert bench.runtime.starts[wired.one.id] == 1
        assert bench.runtime.introduced == {"sandbox": wired.second.addresses[0]}, "it is the first by now"


async def test_what_has_changed_about_a_port_is_plugged_in_again_and_what_has_not_is_let_be() -> None:
    wired = Wired()
    async with at_work(wired.bench) as bench:
        await bench.until_settled(1)
        renamed = replace(wired.first, names=("web",))
        bench.worker.assign(work(newer(wired.wanted), ports=(renamed, wired.second)))
        await bench.until_settled(2)
        await wired.shows(renamed, wired.second)
        assert wired.plug.count("plug", wired.first.id) == 2
        assert wired.plug.count("plug", wired.second.id) == 1


async def test_an_agent_that_has_just_started_plugs_in_once_more_and_takes_away_what_is_not_wanted() -> None:
    wired = Wired()
    async with at_work(wired.bench) as bench:
        await bench.until_settled(1)
    again = Worker(work(wired.wanted, status=bench.last, ports=(wired.first,)), bench.place)
    bench.worker = again
    async with at_work(bench):
        await wired.shows(wired.first)
        assert wired.plug.count("plug", wired.first.id) == 2


@pytest.mark.parametrize("number", [None, 7], ids=["anew", "as before"])
@pytest.mark.parametrize("trouble", ["ends", "vanishes"])
async def test_a_sandbox_that_is_gone_is_followed_by_another_with_the_same_ports(
    trouble: str, number: int | None
) -> None:
    wired = Wired()
    wired.plug.number = number
    async with at_work(wired.bench) as bench:
        await bench.until_settled(1)
        (bench.runtime.end if trouble == "ends" else bench.runtime.forget)(ContainerId("sandbox"))
        bench.worker.hint()
        async with asyncio.timeout(PATIENCE):
            while bench.runtime.starts[wired.one.id] == 1:
                await asyncio.sleep(0.01)
        await wired.plug.list()  # What was in the one that is gone is not plugged in any more.
        await wired.shows(wired.first, wired.second)


@pytest.mark.parametrize("after", [False, True])
async def test_a_port_that_cannot_be_plugged_in_is_tried_again(after: bool) -> None:
    wired = Wired()
    wired.plug.fail("plug", errors.Unavailable("no room"), after=after)
    async with at_work(wired.bench) as bench:
        await asyncio.sleep(0.05)
        assert bench.last.reason == "no room"
        await bench.until_settled(1)
        await wired.shows(wired.first, wired.second)
        assert bench.last.reason is None


async def test_a_look_at_the_whole_host_finds_a_port_that_somebody_took_away() -> None:
    wired = Wired()
    async with at_work(wired.bench) as bench:
        await bench.until_settled(1)
        there = await bench.runtime.list()
        bench.worker.compare(there, await wired.plug.list())
        looks = wired.plug.count("list")
        await asyncio.sleep(0.05)
        assert wired.plug.count("list") == looks, "nothing had changed"
        await wired.plug.unplug(wired.second.id)
        bench.worker.compare(there, await wired.plug.list())
        await wired.shows(wired.first, wired.second)


async def test_what_is_just_being_plugged_in_for_another_is_let_be() -> None:
    wired, other = Wired(), port()
    wired.plug.plugged[other.id] = other, ""
    # Nobody knows the namespace of the sandbox either.
    wired.bench.runtime.far = True
    async with at_work(wired.bench) as bench, asyncio.timeout(PATIENCE):
        while "not where its agent" not in ((bench.told.all and bench.last.reason) or ""):
            await asyncio.sleep(0.005)
        looks = wired.plug.count("list")
        bench.worker.plumb()
        bench.worker.retry()
        while wired.plug.count("list") == looks:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
    assert wired.plug.plugged == {other.id: (other, "")}


async def test_a_host_that_cannot_attach_anything_says_so() -> None:
    wired = Wired()
    bench = Bench(wired.wanted, None, wired.first)
    async with at_work(bench):
        assert "cannot attach" in ((await bench.until_settled(1)).reason or "")
        assert bench.last.failed


async def test_what_its_host_cannot_attach_any_more_goes_on_and_has_not_failed() -> None:
    wired = Wired()
    async with at_work(wired.bench) as bench:
        settled = await bench.until_settled(1)
    known = work(wired.wanted, status=settled, ports=(wired.first, wired.second))
    bench.worker = Worker(known, replace(bench.place, plug=None))
    async with at_work(bench), asyncio.timeout(PATIENCE):
        while bench.last.reason is None:
            await asyncio.sleep(0.005)
    assert "cannot attach containers to networks" in bench.last.reason
    assert bench.last.settled and not bench.last.failed
    assert bench.runtime.count("remove", wired.one.id) == 0


async def test_what_has_no_sandbox_of_its_own_never_asks_for_what_is_plugged_in(one: Container) -> None:
    bench = Bench(spec(one), plug=FakePlug())
    async with at_work(bench):
        await bench.until_settled(1)
        bench.worker.assign(work(newer(bench.worker.work.spec, desired=Desired.DELETED, stop_timeout=0)))
        await bench.until_settled(2)
    assert bench.place.plug is not None and bench.place.plug.seen == []  # type: ignore[attr-defined]


async def test_newer_ports_of_the_same_generation_are_news_and_older_ones_are_not() -> None:
    wired = Wired(attachments=2)
    async with at_work(wired.bench) as bench:
        bench.worker.assign(work(wired.wanted, ports=(wired.second,), attachments=2))
        await bench.until_settled(1)
        bench.worker.assign(work(wired.wanted, ports=(wired.first,), attachments=1))
        await asyncio.sleep(0.05)
        await wired.shows(wired.second)


async def test_what_cannot_work_is_not_tried_again_because_the_same_was_said_twice() -> None:
    images = FakeImages()
    images.slow("fetch", 0.05)
    images.fail("fetch", errors.NotFound("Image far could not be found.", code="image-not-found"))
    wanted = spec(container(image="far"))
    async with at_work(Bench(wanted, images)) as bench:
        while not images.count("fetch"):
            await asyncio.sleep(0.001)
        bench.worker.assign(work(wanted))
        assert (await bench.until_settled(wanted.generation)).failed
        assert images.count("fetch") == 1
