"""The newest status of every capsule is told until it has been taken in."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from higgins.agent.reporter import Reporter
from higgins.aio.beside import beside
from higgins.link.messages import ControlMessage, Finding, HostMessage, Report
from higgins.model.capsule import CapsuleStatus
from higgins.model.ids import CapsuleId
from tests.patience import PATIENCE

A, B = CapsuleId("a"), CapsuleId("b")


class Heard:
    """A channel that keeps what was said."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    async def send(self, message: HostMessage) -> None:
        assert isinstance(message, Report)
        self.findings += message.findings

    def __aiter__(self) -> AsyncIterator[ControlMessage]:
        raise AssertionError("a reporter does not listen")

    async def until(self, count: int) -> list[Finding]:
        async with asyncio.timeout(PATIENCE):
            while len(self.findings) < count:
                await asyncio.sleep(0.002)
        return self.findings


def told(finding: Finding) -> tuple[CapsuleId, str | None]:
    return finding.capsule_id, finding.status.reason


def saying(reason: str) -> CapsuleStatus:
    return CapsuleStatus(reason=reason)


async def test_what_was_said_before_there_was_a_session_is_told_once_there_is_only_the_newest() -> None:
    reporter, channel = Reporter(), Heard()
    for reason in ("old", "new"):
        reporter.report(A, 1, saying(reason))
    async with beside() as start:
        start(reporter.run(channel))
        assert [told(one) for one in await channel.until(1)] == [(A, "new")]


async def test_what_nobody_acknowledges_is_repeated_under_a_higher_number() -> None:
    reporter, channel = Reporter(retry=0.02), Heard()
    reporter.report(A, 1, saying("x"))
    async with beside() as start:
        start(reporter.run(channel))
        sequences = [one.sequence for one in await channel.until(3)]
    assert sequences == sorted(set(sequences))


async def test_what_is_acknowledged_is_not_told_again() -> None:
    reporter, channel = Reporter(retry=0.02), Heard()
    reporter.report(A, 1, saying("x"))
    async with beside() as start:
        start(reporter.run(channel))
        (first, *_) = await channel.until(1)
        reporter.acknowledged((first.sequence,))
        count = len(channel.findings)
        await asyncio.sleep(0.1)
        assert len(channel.findings) == count


async def test_the_acknowledgement_of_what_is_outdated_says_nothing_about_what_is_new() -> None:
    reporter, channel = Reporter(retry=0.02), Heard()
    reporter.report(A, 1, saying("old"))
    async with beside() as start:
        start(reporter.run(channel))
        (first, *_) = await channel.until(1)
        reporter.report(A, 1, saying("new"))
        reporter.acknowledged((first.sequence,))
        assert told((await channel.until(2))[1]) == (A, "new")
        assert told((await channel.until(3))[2]) == (A, "new")


async def test_a_new_session_is_told_again_from_the_first_number_on() -> None:
    reporter, first, second = Reporter(), Heard(), Heard()
    reporter.report(A, 1, saying("x"))
    async with beside() as start:
        start(reporter.run(first))
        await first.until(1)
    async with beside() as start:
        start(reporter.run(second))
        assert [(told(one), one.sequence) for one in await second.until(1)] == [((A, "x"), 1)]


async def test_what_is_forgotten_is_told_no_more() -> None:
    reporter, channel = Reporter(), Heard()
    reporter.report(A, 1, saying("x"))
    reporter.report(B, 1, saying("y"))
    reporter.forget(A)
    async with beside() as start:
        start(reporter.run(channel))
        assert [told(one) for one in await channel.until(1)] == [(B, "y")]


async def test_very_many_are_told_in_several_messages() -> None:
    reporter, channel = Reporter(), Heard()
    for number in range(900):
        reporter.report(CapsuleId(str(number)), 1, saying("x"))
    async with beside() as start:
        start(reporter.run(channel))
        assert len({one.capsule_id for one in await channel.until(900)}) == 900


async def test_who_leaves_before_it_is_heard_leaves_nothing_that_the_next_one_takes_for_an_answer() -> None:
    reporter, channel = Reporter(), Heard()
    async with beside() as start:
        start(reporter.run(channel))
        reporter.report(A, 1, saying("old"))
        sent = await channel.until(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await reporter.until_heard(A, 2)
        reporter.acknowledged((sent[0].sequence,))
        reporter.report(A, 1, saying("new"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await reporter.until_heard(A, 2)
