"""The shelf: one fetch for many, one project's images kept from another, what goes when the disk fills."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from higgins import errors
from higgins.agent.orders import Order, order
from higgins.agent.shelf import Custom, Shelf
from higgins.model.capsule import Progress, PullPolicy
from higgins.model.ids import ProjectId, RegistryId
from higgins.model.live import ImageFacts
from higgins.model.registry import Login
from higgins.protocols.image import Tell
from higgins.testing import builders
from higgins.testing.images import FakeImages
from higgins.testing.runtime import FakeRuntime
from higgins.testing.runtime_contract import a_container, origin_of

ANN, BOB = ProjectId("ann"), ProjectId("bob")
LOGIN = Login(domain="reg.example", username="ann", password="open sesame")
BOBS = Login(domain="reg.example", username="bob", password="open rice")
SECRET = "reg.example/secret:1"
OTHER = "reg.example/other:1"
EVE = ProjectId("eve")


def images(**rest: Any) -> FakeImages:
    return FakeImages(
        ["busybox"], registry=["reg.example/app:1", "reg.example/app:2", "busybox"], private={SECRET: LOGIN}, **rest
    )


class Dawdling(FakeImages):
    """What is told to dawdle has been done some time before it answers, as with an engine."""

    dawdle = ""

    async def fetch(self, reference: str, login: Login | None = None, tell: Tell | None = None) -> ImageFacts:
        facts = await super().fetch(reference, login, tell)
        await self._dawdled("fetch")
        return facts

    async def remove(self, reference: str) -> bool:
        left = await super().remove(reference)
        await self._dawdled("remove")
        return left

    async def _dawdled(self, method: str) -> None:
        if self.dawdle == method:
            await asyncio.sleep(0.05)


async def in_a_moment(*work: Coroutine[Any, Any, Any]) -> None:
    """What comes while something else has just begun."""
    await asyncio.sleep(0.02)
    for one in work:
        await one


@asynccontextmanager
async def shelf(
    source: FakeImages, notes: Path | None = None, wanted: Callable[[], Iterable[str]] = tuple, **custom: Any
) -> AsyncIterator[Shelf]:
    clock = iter(range(1_000_000))
    made = Shelf(source, notes, Custom(collect=False, **custom), clock=lambda: float(next(clock)))
    async with made.open(wanted):
        yield made


def of(image: str = "reg.example/app:1", project: ProjectId = ANN, **rest: Any) -> Order:
    return Order(image=image, project_id=project, **rest)


async def all_of(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """What each gives, or the failure that it raises."""

    async def outcome(one: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await one
        except errors.Failure as failure:
            return failure

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(one)) for one in work]
    return [task.result() for task in tasks]


def failures(outcomes: Iterable[Any]) -> list[errors.Failure]:
    return [one for one in outcomes if isinstance(one, errors.Failure)]


# One fetch


async def test_twenty_who_want_one_image_have_it_fetched_once_and_all_see_how_far_it_is() -> None:
    source = images()
    source.slow("fetch", 0.05)
    told: list[list[Progress]] = [[] for _ in range(20)]
    async with shelf(source) as there:
        supplies = await all_of(*(there.ready(of(), each.append) for each in told))
    assert source.count("fetch") == 1
    assert len({one.facts for one in supplies}) == 1
    assert all(each[0].done == 0 and each[-1].done == each[-1].size > 0 for each in told)


async def test_whoever_leaves_does_not_end_the_fetch_for_the_others() -> None:
    source = images()
    source.slow("fetch", 0.1)
    async with shelf(source) as there, asyncio.TaskGroup() as group:
        leaving, staying = group.create_task(there.ready(of())), group.create_task(there.ready(of()))
        await asyncio.sleep(0.03)
        leaving.cancel()
        assert (await staying).facts.digest == source.here("reg.example/app:1")
    assert source.count("fetch") == 1


async def test_a_fetch_that_nobody_waits_for_any_more_is_cancelled_and_the_next_one_is_fresh() -> None:
    source = images()
    source.slow("fetch", 0.1)
    async with shelf(source) as there:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.03):
                    await there.ready(of())
        await asyncio.sleep(0.15)
        assert source.here("reg.example/app:1") is None
        source.slow("fetch", 0)
        await there.ready(of())
    assert source.count("fetch") == 3


async def test_other_credentials_are_another_fetch() -> None:
    source = images()
    source.slow("fetch", 0.05)
    async with shelf(source) as there:
        mine, theirs = await all_of(there.ready(of(SECRET, login=LOGIN)), there.ready(of(SECRET, BOB)))
    assert mine.facts.digest == source.here(SECRET)
    assert isinstance(theirs, errors.NotFound)
    assert source.count("fetch") == 2


async def test_the_failure_of_a_fetch_is_told_to_all_who_wait() -> None:
    source = images()
    source.slow("fetch", 0.05)
    source.fail("fetch", errors.Unavailable("the registry is away"))
    async with shelf(source) as there:
        failures = await all_of(there.ready(of()), there.ready(of(project=BOB)))
        assert all(isinstance(one, errors.Unavailable) for one in failures)
        await there.ready(of())


# When it is fetched


async def test_always_asks_the_registry_though_the_image_is_here() -> None:
    source = images()
    async with shelf(source) as there:
        before = await there.ready(of())
        source.publish("reg.example/app:1")
        assert await there.ready(of()) == before
        newer = await there.ready(of(policy=PullPolicy.ALWAYS))
    assert newer.facts != before.facts


async def test_never_means_never() -> None:
    source = images()
    async with shelf(source) as there:
        with pytest.raises(errors.NotFound, match="pull policy is never") as failed:
            await there.ready(of(policy=PullPolicy.NEVER))
        await there.ready(of("busybox", policy=PullPolicy.NEVER))
    assert failed.value.name == "image-not-found"
    assert source.count("fetch") == 0


def test_the_registry_that_a_container_names_stands_in_front_of_an_image_that_says_none() -> None:
    logins = {RegistryId("r"): LOGIN}
    plain = builders.container(image="app:1", registry=RegistryId("r"))
    assert order(plain, ANN, logins) == of(login=LOGIN)
    elsewhere = builders.container(image="other.example/app:1", registry=RegistryId("r"))
    assert order(elsewhere, ANN, logins).image == "other.example/app:1"
    assert order(builders.container(image="app:1"), ANN, logins) == of("app:1")
    with pytest.raises(errors.Unavailable, match="credentials"):
        order(plain, ANN, {})
    with pytest.raises(errors.Invalid):
        order(builders.container(image="NO/name"), ANN, {})


async def test_credentials_go_to_no_other_registry_than_theirs() -> None:
    source = FakeImages(registry=["reg.example/app:1", "app:1"], private={SECRET: LOGIN})
    async with shelf(source) as there:
        await there.ready(of("app:1", login=LOGIN))
        await there.ready(of("app:1", BOB))  # So it was fetched without, and is everybody's.
        # A name without a dot would be a part of Docker Hub's names.
        await there.ready(of("reg.example/app:1", login=Login(domain="reg", username="u", password="p")))
    assert source.count("fetch") == 2


# Whose it is


async def test_what_one_projects_credentials_fetched_another_has_to_fetch_itself() -> None:
    source = images()
    async with shelf(source) as there:
        await there.ready(of(SECRET, login=LOGIN))
        with pytest.raises(errors.NotFound):
            await there.ready(of(SECRET, BOB))
        with pytest.raises(errors.NotFound):
            await there.ready(of(SECRET, BOB, policy=PullPolicy.NEVER))
        asked = source.count("fetch")
        await there.ready(of(SECRET, BOB, login=LOGIN))
        assert source.count("fetch") == asked + 1
        await there.ready(of(SECRET, BOB))
        await there.ready(of(SECRET, ANN))
    assert source.count("fetch") == asked + 1


async def test_a_digest_is_no_way_around() -> None:
    source = images()
    async with shelf(source) as there:
        facts = (await there.ready(of(SECRET, login=LOGIN))).facts
        assert source.here(f"reg.example/secret@{facts.digest}") == facts.digest
        with pytest.raises(errors.NotFound):
            await there.ready(of(f"reg.example/secret@{facts.digest}", BOB))


async def test_who_may_have_what_survives_a_restart(tmp_path: Path) -> None:
    source, notes = images(), tmp_path / "images.json"
    async with shelf(source, notes) as there:
        await there.ready(of(SECRET, login=LOGIN))
    async with shelf(source, notes) as there:
        with pytest.raises(errors.NotFound):
            await there.ready(of(SECRET, BOB))
        asked = source.count("fetch")
        await there.ready(of(SECRET, ANN))
    assert source.count("fetch") == asked
    assert "sesame" not in notes.read_text()


async def test_what_arrived_though_its_fetch_failed_is_kept_from_others_too(tmp_path: Path) -> None:
    source, notes = images(), tmp_path / "images.json"
    source.fail("fetch", errors.Unavailable("the answer was lost"), after=True)
    async with shelf(source, notes) as there:
        with pytest.raises(errors.Unavailable):
            await there.ready(of(SECRET, login=LOGIN))
        assert source.here(SECRET) is not None
    for _ in range(2):
        async with shelf(source, notes) as there:
            with pytest.raises(errors.NotFound):
                await there.ready(of(SECRET, BOB))
    async with shelf(source, notes) as there:
        await there.ready(of(SECRET, login=LOGIN))


async def test_what_one_project_has_just_brought_does_not_become_everybodys_by_the_fetch_of_another() -> None:
    source = Dawdling(private={SECRET: LOGIN})
    source.dawdle = "fetch"
    async with shelf(source) as there:

        async def theirs() -> None:
            await in_a_moment()
            assert source.here(SECRET) is not None
            source.keep_for(BOBS, SECRET)
            await there.ready(of(SECRET, BOB, login=BOBS))

        assert not failures(await all_of(there.ready(of(SECRET, login=LOGIN)), theirs()))
        assert failures(await all_of(there.ready(of(SECRET, EVE, policy=PullPolicy.NEVER))))
        await there.ready(of(SECRET, ANN, policy=PullPolicy.NEVER))
        await there.ready(of(SECRET, BOB, policy=PullPolicy.NEVER))


async def test_what_another_fetch_brings_after_the_first_has_landed_is_kept_from_others_too() -> None:
    source = Dawdling(private={SECRET: LOGIN})
    source.dawdle = "fetch"
    async with shelf(source) as there:

        async def theirs() -> None:
            await in_a_moment()
            source.publish(SECRET)
            source.keep_for(BOBS, SECRET)
            source.slow("fetch", 0.05)
            await there.ready(of(SECRET, BOB, login=BOBS))

        async def eves() -> None:
            first = None
            while (here := source.here(SECRET)) is None or here == (first := first or here):
                await asyncio.sleep(0.005)
            await there.ready(of(SECRET, EVE, policy=PullPolicy.NEVER))

        mine, bobs, not_hers = await all_of(there.ready(of(SECRET, login=LOGIN)), theirs(), eves())
    assert failures([mine, bobs, not_hers]) == [not_hers]


async def test_what_arrived_when_nobody_saw_does_not_become_everybodys_when_it_is_fetched_again(tmp_path: Path) -> None:
    source, notes = images(), tmp_path / "images.json"
    source.fail("fetch", errors.Unavailable("the answer was lost"), after=True)
    async with shelf(source, notes) as there:
        assert failures(await all_of(there.ready(of(SECRET, login=LOGIN))))
    async with shelf(source, notes) as there:
        await there.ready(of(SECRET, login=LOGIN, policy=PullPolicy.ALWAYS))
        assert failures(await all_of(there.ready(of(SECRET, EVE, policy=PullPolicy.NEVER))))


async def test_a_fetch_that_begins_while_others_are_settled_is_waited_for() -> None:
    source = Dawdling(private={SECRET: LOGIN, OTHER: LOGIN})
    source.fail("fetch", errors.Unavailable("cut off"), times=2)
    async with shelf(source) as there:
        # Two that nobody saw ending.
        assert len(failures(await all_of(*(there.ready(of(each, login=LOGIN)) for each in (OTHER, SECRET))))) == 2
        source.slow("resolve", 0.02)
        source.slow("fetch", 0.03)
        source.dawdle = "fetch"
        settling, fetched, *hers = await all_of(
            there.ready(of("reg.example/app:1", BOB, policy=PullPolicy.NEVER)),  # Both, one after the other.
            there.ready(of(SECRET, login=LOGIN, policy=PullPolicy.ALWAYS)),
            in_a_moment(asyncio.sleep(0.04), there.ready(of(SECRET, EVE, policy=PullPolicy.NEVER))),
        )
    assert failures([settling, fetched, *hers]) == [settling, *hers]


async def test_what_was_here_for_everybody_stays_everybodys() -> None:
    source = images()
    login = Login(domain="docker.io", username="ann", password="p")
    async with shelf(source) as there:
        source.publish("busybox")
        source.forget("busybox")
        await there.ready(of("busybox", BOB))
        asked = source.count("fetch")
        await there.ready(of("busybox", ANN, login=login, policy=PullPolicy.ALWAYS))
        await there.ready(of("docker.io/library/busybox", BOB))
        assert source.count("fetch") == asked + 1


async def test_a_failing_fetch_of_one_project_takes_nothing_from_the_others() -> None:
    source = images()
    login = Login(domain="docker.io", username="ann", password="p")
    source.slow("fetch", 0.05)
    source.fail("fetch", errors.NotFound("refused", code="image-not-found"))
    async with shelf(source) as there, asyncio.TaskGroup() as group:
        fetching = group.create_task(all_of(there.fetch(of("busybox", ANN, login=login))))
        await asyncio.sleep(0.02)
        await there.ready(of("busybox", BOB))
        await fetching
        await there.ready(of("busybox", BOB))
    assert source.count("fetch") == 1


async def test_what_was_replaced_between_the_look_and_the_making_does_not_stand() -> None:
    source = images()
    async with shelf(source) as there:
        await there.ready(of(SECRET, login=LOGIN))
        source.forget(SECRET)
        source.add(SECRET)  # Somebody's own, for everybody.
        looked = await there.ready(of(SECRET, BOB))
        assert await there.stands(of(SECRET, BOB), looked)
        await there.fetch(of(SECRET, login=LOGIN))
        assert not await there.stands(of(SECRET, BOB), looked)
        source.forget(SECRET)
        assert not await there.stands(of(SECRET, BOB), looked)


async def test_what_is_made_here_is_its_projects_alone() -> None:
    source = images()

    async def commit() -> ImageFacts:
        return source.add("ann/own:1")

    async with shelf(source) as there:
        await there.make("ann/own:1", ANN, commit)
        await there.ready(of("ann/own:1", ANN, policy=PullPolicy.NEVER))
        with pytest.raises(errors.NotFound):
            await there.ready(of("ann/own:1", BOB))
        await there.make("ann/own:1", ANN, commit)
        with pytest.raises(errors.Conflict, match="already"):
            await there.make("ann/own:1", BOB, commit)


async def test_the_making_of_an_image_goes_on_when_its_caller_leaves() -> None:
    source = images()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def commit() -> ImageFacts:
        begun.set()
        await go_on.wait()
        return source.add("ann/own:1")

    async with shelf(source) as there:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await there.make("ann/own:1", ANN, commit)
        assert begun.is_set()
        with pytest.raises(errors.Conflict, match="just being made"):
            await there.make("ann/own:1", ANN, commit)
        go_on.set()
        await asyncio.sleep(0.01)
        await there.ready(of("ann/own:1", ANN, policy=PullPolicy.NEVER))
        with pytest.raises(errors.NotFound):
            await there.ready(of("ann/own:1", BOB))


async def test_an_image_that_comes_after_whoever_made_it_has_died_is_its_projects_alone(tmp_path: Path) -> None:
    source = images()
    notes = tmp_path / "images.json"

    async def commit_and_die() -> ImageFacts:
        raise errors.Unavailable("the connection broke")

    async def commit() -> ImageFacts:
        return source.add("ann/own:1")

    async with shelf(source, notes) as there:
        with pytest.raises(errors.Unavailable):
            await there.make("ann/own:1", ANN, commit_and_die)
    async with shelf(source, notes) as there:
        # Others have images made meanwhile, and nothing has come yet.
        await there.ready(of())
        with pytest.raises(errors.Conflict):
            await there.make("ann/own:1", BOB, commit)
        source.add("ann/own:1")
        with pytest.raises(errors.NotFound):
            await there.ready(of("ann/own:1", BOB))
        await there.ready(of("ann/own:1", ANN, policy=PullPolicy.NEVER))
        await there.make("ann/own:1", ANN, commit)


async def test_what_the_engine_refuses_to_make_leaves_its_name_free() -> None:
    source = images()

    async def refused() -> ImageFacts:
        raise errors.Conflict("No image can be made of it.")

    async def commit() -> ImageFacts:
        return source.add("ann/own:1")

    async with shelf(source) as there:
        with pytest.raises(errors.Conflict, match="No image can be made"):
            await there.make("ann/own:1", ANN, refused)
        await there.make("ann/own:1", BOB, commit)


async def test_nobody_makes_an_image_under_a_name_that_others_use() -> None:
    source = images()

    async def commit() -> ImageFacts:
        raise AssertionError

    async with shelf(source) as there:
        await there.ready(of())
        for taken in ("busybox", "docker.io/library/busybox:latest", "reg.example/app:1"):
            with pytest.raises(errors.Conflict, match="choose another name"):
                await there.make(taken, ANN, commit)


def test_notes_that_cannot_be_read_say_what_to_do(tmp_path: Path) -> None:
    notes = tmp_path / "images.json"
    notes.write_text("{")
    with pytest.raises(errors.Broken, match=r"images\.json cannot be read.*restore it"):
        Shelf(images(), notes)


# What goes


async def filled(source: FakeImages, there: Shelf) -> None:
    """The disk, to 4 of 4: three were fetched, the first and the last of them used since."""
    for image in ("reg.example/app:1", "reg.example/app:2", SECRET):
        await there.ready(of(image, login=LOGIN))
    for image in ("reg.example/app:1", SECRET):
        await there.ready(of(image, login=LOGIN))


async def test_the_least_recently_used_go_first_until_there_is_room() -> None:
    source = images(room=4)
    async with shelf(source, above=0.9, below=0.8) as there:
        await filled(source, there)
        await there.collect()
        assert {name.rpartition("/")[2] for name in source.names} == {"busybox:latest", "app:1", "secret:1"}
        await there.collect()
        assert len(source.names) == 3


async def test_nothing_goes_while_there_is_room() -> None:
    source = images(room=5)
    async with shelf(source, above=0.9, below=0.1) as there:
        await filled(source, there)
        await there.collect()
    assert len(source.names) == 4


async def test_what_is_used_wanted_asked_for_or_somebody_elses_stays() -> None:
    source = images(room=4)
    runtime = FakeRuntime(images=source)
    container = a_container("reg.example/app:2", "true")
    async with shelf(source, wanted=lambda: [SECRET], above=0.1, below=0.0) as there:
        await there.fetch(of("reg.example/app:1"), keep=True)
        await there.ready(of("reg.example/app:2"))
        await there.ready(of(SECRET, login=LOGIN))
        await runtime.create(origin_of(container), container)
        await there.collect()
        assert len(source.names) == 4
        await runtime.remove(container.id)
        await there.collect()
        assert not [name for name in source.names if name.endswith("app:2")]
        assert len(source.names) == 3


async def test_what_has_lost_its_name_to_a_newer_image_goes_as_well() -> None:
    source = images(room=3)
    async with shelf(source, above=0.9, below=0.7) as there:
        await there.ready(of())
        source.publish("reg.example/app:1")
        await there.ready(of(policy=PullPolicy.ALWAYS))
        assert await source.fill() == 1
        await there.collect()
        assert await source.fill() < 1
        assert "reg.example/app:1" in source.names


async def test_a_disk_that_nobody_can_look_at_is_let_be() -> None:
    source = images(room=1)
    source.fail("fill", errors.Unavailable("it is elsewhere"), times=2)
    async with shelf(source, above=0.1, below=0.0) as there:
        await there.ready(of())
        assert await there.collect() is None
        assert await there.collect() is None
        assert len(source.names) == 2
        await there.collect()
        assert len(source.names) == 1


async def test_what_is_left_by_another_name_is_kept_from_the_same_projects() -> None:
    source = images()
    other = "reg.example/secret:also"
    async with shelf(source) as there:
        await there.ready(of(SECRET, login=LOGIN))
        source.name(SECRET, other)
        await there.remove(SECRET)
        await there.ready(of(other, policy=PullPolicy.NEVER))
        with pytest.raises(errors.NotFound):
            await there.ready(of(other, BOB, policy=PullPolicy.NEVER))


async def test_a_name_by_which_something_will_be_made_again_is_not_removed() -> None:
    source = images()
    needed = ["reg.example/app:1"]
    async with shelf(source, wanted=lambda: needed) as there:
        await there.ready(of())
        with pytest.raises(errors.Conflict, match="needs it"):
            await there.remove("reg.example/app:1")
        assert source.here("reg.example/app:1") is not None
        needed.clear()
        await there.remove("reg.example/app:1")
        assert source.here("reg.example/app:1") is None


async def test_what_was_removed_is_for_whoever_brings_it_again() -> None:
    source = images()
    async with shelf(source) as there:
        await there.ready(of(SECRET, login=LOGIN))
        await there.remove(SECRET)
        assert source.here(SECRET) is None
        source.add(SECRET)
        await there.ready(of(SECRET, BOB, policy=PullPolicy.NEVER))


async def test_what_is_fetched_again_while_it_is_removed_is_kept_from_others_still() -> None:
    source = Dawdling(private={SECRET: LOGIN})
    async with shelf(source) as there:
        await there.ready(of(SECRET, login=LOGIN))
        source.dawdle = "remove"
        again = there.ready(of(SECRET, login=LOGIN, policy=PullPolicy.ALWAYS))
        assert not failures(await all_of(there.remove(SECRET), in_a_moment(again)))
        assert source.here(SECRET) is not None
        assert failures(await all_of(there.ready(of(SECRET, EVE, policy=PullPolicy.NEVER))))
