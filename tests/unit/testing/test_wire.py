"""What the wire in memory promises to the tests that use it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from higgins import errors
from higgins.link.messages import Acknowledged, ControlMessage, HostMessage, Report, Welcome
from higgins.testing.wire import Adversary, Wire


def numbered(count: int) -> Sequence[Acknowledged]:
    return [Acknowledged(sequences=(number,)) for number in range(count)]


async def passed(adversary: Adversary | None, sent: Sequence[ControlMessage]) -> list[ControlMessage]:
    """What arrives at the host."""
    wire = Wire(adversary)
    for message in sent:
        await wire.control.send(message)
    arrived: list[ControlMessage] = []
    try:
        async with asyncio.timeout(0.2):
            async for message in wire.host:
                arrived.append(message)
    except TimeoutError:
        return arrived
    return arrived


async def test_told_nothing_it_loses_nothing_and_keeps_the_order():
    assert await passed(None, numbered(100)) == numbered(100)


async def test_it_carries_both_ways():
    wire = Wire()
    report: HostMessage = Report(findings=())
    await wire.host.send(report)
    assert await anext(aiter(wire.control)) == report


async def test_delays_keep_the_order():
    assert await passed(Adversary(delay=0.05), numbered(50)) == numbered(50)


async def test_whoever_may_overtake_does():
    arrived = await passed(Adversary(delay=0.05, reorder=0.5), numbered(50))
    assert arrived != numbered(50)
    assert sorted(arrived, key=lambda one: one.sequences) == numbered(50)  # type: ignore[union-attr]


async def test_it_drops_and_doubles_about_as_often_as_told():
    assert 50 < len(await passed(Adversary(drop=0.3), numbered(100))) < 90
    assert 110 < len(await passed(Adversary(double=0.3), numbered(100))) < 150
    assert await passed(Adversary(drop=1.0), numbered(100)) == []


async def test_the_same_seed_does_the_same_and_another_does_not():
    cruel = Adversary(seed=1, drop=0.2, double=0.2)
    first = await passed(cruel, numbered(100))
    assert await passed(cruel, numbered(100)) == first
    assert await passed(replace(cruel, seed=2), numbered(100)) != first


async def test_it_spares_whom_it_should():
    welcome = Welcome(session=1, heartbeat=1.0)
    assert await passed(Adversary(drop=1.0, spares=(Welcome,)), [welcome, *numbered(10)]) == [welcome]


async def test_both_ends_of_a_cut_wire_are_told_and_what_was_on_its_way_is_lost():
    wire = Wire()
    await wire.control.send(Acknowledged(sequences=()))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_end_of(wire))
        await asyncio.sleep(0)
        wire.cut()
    assert waiting.result()
    with pytest.raises(errors.Unavailable):
        await anext(aiter(wire.host))
    with pytest.raises(errors.Unavailable):
        await wire.host.send(Report(findings=()))


async def _end_of(wire: Wire) -> bool:
    try:
        await anext(aiter(wire.control))
    except errors.Unavailable:
        return True
    return False
