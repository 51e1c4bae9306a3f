"""Bells, patrols, topics and races: no hint is lost, and nothing ends that should go on."""

import asyncio

import pytest

from higgins.aio import race
from higgins.aio.bell import Bell
from higgins.aio.beside import beside
from higgins.aio.patrol import patrol
from higgins.aio.topics import Topics


async def test_a_bell_rung_before_somebody_waits_wakes_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert await bell.wait(0.01)
    assert not await bell.wait(0.01)


async def test_a_hint_during_a_visit_causes_another() -> None:
    bell, visits = Bell(), 0

    async def visit() -> None:
        nonlocal visits
        visits += 1
        if visits < 3:
            bell.ring()
        await asyncio.sleep(0)

    async with beside() as start:
        start(patrol("test", visit, bell, period=60))
        await asyncio.sleep(0.05)
    assert visits == 3


async def test_a_patrol_visits_though_nobody_rings_and_as_early_as_it_is_asked() -> None:
    visits: list[float] = []
    loop = asyncio.get_running_loop()

    async def visit() -> float | None:
        visits.append(loop.time())
        return 0.01 if len(visits) == 1 else None

    async with beside() as start:
        start(patrol("test", visit, Bell(), period=0.1))
        await asyncio.sleep(0.18)
    assert len(visits) == 3
    assert visits[1] - visits[0] < 0.09 <= visits[2] - visits[1]


async def test_a_visit_that_fails_is_followed_by_another() -> None:
    visits = 0

    async def visit() -> None:
        nonlocal visits
        visits += 1
        if visits == 1:
            raise ZeroDivisionError

    async with beside() as start:
        start(patrol("test", visit, Bell(), period=60))
        await asyncio.sleep(0.2)
    assert visits == 2


async def test_a_listener_hears_what_is_said_of_its_topic_while_it_listens() -> None:
    topics: Topics[str, int] = Topics()
    topics.hint("a", 0)
    with topics.listen("a") as first, topics.listen("a") as second, topics.listen("b") as other:
        for thing in (1, 2, 2):
            topics.hint("a", thing)
        assert await first.bell.wait(0)
        assert first.take() == second.take() == {1, 2}
        assert first.take() == other.take() == frozenset()
    topics.hint("a", 3)
    assert first.take() == frozenset()


async def test_work_that_ends_before_the_bell_rings_is_done() -> None:
    assert await race.unless(Bell(), asyncio.sleep(0))


async def test_work_that_a_bell_interrupts_is_not_done_and_gets_to_clean_up() -> None:
    bell, cleaned = Bell(), False

    async def work() -> None:
        nonlocal cleaned
        try:
            bell.ring()
            await asyncio.sleep(60)
        finally:
            cleaned = True

    assert not await race.unless(bell, work())
    assert cleaned


async def test_what_the_work_raises_comes_out_as_it_is() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await race.unless(Bell(), work())


async def test_whoever_waits_for_a_race_can_be_cancelled() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await race.unless(Bell(), asyncio.sleep(60))
