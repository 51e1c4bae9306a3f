"""Following what changes: nothing is missed, nothing comes twice, and what was forgotten is said to be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest

from higgins import errors
from higgins.model.capsule import Capsule
from higgins.model.event import Filter, Stretch
from higgins.model.identity import Caller
from higgins.model.ids import ProjectId, UserId
from higgins.service.events import Events
from higgins.service.hints import Hints
from higgins.service.policy import Policy
from higgins.service.turnstile import Turnstile
from higgins.store import capsules, events, schema
from higgins.store.database import Database
from higgins.testing import builders
from tests.patience import PATIENCE

ALL = Filter()


def who(project: str = "p1", *roles: str) -> Caller:
    return Caller(user_id=UserId("u"), project_id=ProjectId(project), roles=frozenset(roles or ("reader",)))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/higgins.sqlite")
    schema.upgrade(opened)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def hints() -> Hints:
    return Hints()


@pytest.fixture
def service(database: Database, hints: Hints) -> Events:
    return Events(database, Policy(), hints, patrol=0.3)


async def happen(database: Database, times: int = 1, project: str = "p1") -> list[Capsule]:
    made = [builders.capsule(project_id=ProjectId(project)) for _ in range(times)]
    for one in made:
        await database.write(partial(capsules.insert, capsule=one, deadline=1e12))
    return made


def numbers(stretch: Stretch) -> list[int]:
    return [one.number for one in stretch.events]


async def test_pages_follow_one_another_to_the_end(service: Events, database: Database) -> None:
    await happen(database, 5)
    await happen(database, 2, "p2")
    first = await service.page(who(), ALL, most=3)
    assert (numbers(first), first.more) == ([1, 2, 3], True)
    rest = await service.page(who(), ALL, since=first.upto, most=3)
    assert (numbers(rest), rest.more, rest.upto) == ([4, 5], False, 7)


async def test_whoever_follows_is_told_what_happens_from_now_on_before_the_next_patrol(
    database: Database, hints: Hints
) -> None:
    service = Events(database, Policy(), hints, patrol=600)
    await happen(database)
    async with aclosing(service.follow(who(), ALL)) as story:
        assert (await anext(story)).events == ()

        async def change() -> None:
            await asyncio.sleep(0.15)
            (made,) = await happen(database)
            hints.changed(made)

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(change())
            assert numbers(await anext(story)) == [2]


async def test_a_lost_hint_costs_one_patrol(service: Events, database: Database) -> None:
    async with aclosing(service.follow(who(), ALL)) as story:
        await anext(story)
        await happen(database, 1, "p2")
        await happen(database)
        assert numbers(await anext(story)) == [2]


async def test_silence_is_broken_once_in_a_while_and_tells_how_far_it_looked(
    service: Events, database: Database, hints: Hints
) -> None:
    async with aclosing(service.follow(who(), ALL)) as story:
        await anext(story)
        (made,) = await happen(database, 1, "p2")
        hints.changed(made)
        quiet = await anext(story)
        assert (quiet.events, quiet.upto) == ((), 1)


async def test_whoever_comes_again_misses_nothing_and_gets_nothing_twice(service: Events, database: Database) -> None:
    await happen(database, 450)
    seen: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while len(seen) < 450:
            # Each comes for one stretch only and starts where the last one ended.
            async with aclosing(service.follow(who(), ALL, since=seen[-1] if seen else 0)) as story:
                seen += numbers(await anext(story))
    assert seen == list(range(1, 451))


async def test_what_was_forgotten_meanwhile_is_said_to_be(service: Events, database: Database) -> None:
    await happen(database, 10)
    await database.write(lambda db: events.prune(db, since=0.0, most=4, at_once=100))
    assert (await service.page(who(), ALL, since=6, most=9)).lost is False
    gap = await service.page(who(), ALL, since=5, most=9)
    assert (gap.lost, numbers(gap)) == (True, [7, 8, 9, 10])
    assert (await service.page(who(), ALL, since=0, most=9)).lost is False, "whoever asks for what there is gets it"


async def test_a_number_that_is_still_to_come_is_from_another_story(service: Events, database: Database) -> None:
    await happen(database, 3)
    strange = await service.page(who(), ALL, since=99, most=9)
    assert (strange.lost, numbers(strange)) == (True, [1, 2, 3])


async def test_every_project_is_for_admins_only(service: Events, database: Database) -> None:
    await happen(database, 1, "p2")
    with pytest.raises(errors.Forbidden):
        await service.page(who(), ALL, most=9, all_projects=True)
    with pytest.raises(errors.Forbidden):
        service.follow(who(), ALL, all_projects=True)
    with pytest.raises(errors.Forbidden):
        service.follow(who("p1", "nobody"), ALL)
    assert numbers(await service.page(who("p0", "admin"), ALL, most=9, all_projects=True)) == [1]


async def test_a_project_that_follows_as_much_as_it_may_is_told_so_until_somebody_leaves(
    database: Database, hints: Hints
) -> None:
    service = Events(database, Policy(), hints, turnstile=Turnstile(1), patrol=0.3)
    async with aclosing(service.follow(who(), ALL)) as first:
        await anext(first)
        with pytest.raises(errors.Conflict):
            await anext(service.follow(who(), ALL))
        async with aclosing(service.follow(who("p2"), ALL)) as other:
            await anext(other)
    async with aclosing(service.follow(who(), ALL)) as again:
        await anext(again)
