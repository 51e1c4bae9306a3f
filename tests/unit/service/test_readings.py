"""Rates out of readings."""

import itertools

from higgins.model.ids import ContainerId
from higgins.model.live import Usage
from higgins.service.readings import Readings

WEB, SHOP = ContainerId("web"), ContainerId("shop")


class Meter:
    """A container that uses half a core; every reading is `step` seconds after the one before."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.step = 2.0
        self.used = 0.0
        self.taken = itertools.count()
        self.readings = Readings(lambda: self.now)

    async def read(self) -> Usage:
        self.now += self.step
        self.used += self.step / 2
        next(self.taken)
        return Usage(
            read_at=self.now,
            cpu=self.used,
            system_cpu=self.now,
            cores=4,
            memory=1,
            memory_limit=2,
            block_read=0,
            block_written=0,
            received=0,
            sent=0,
            processes=1,
        )

    async def asked(self, which: ContainerId = WEB) -> tuple[float, int]:
        """The rate, and how many readings it took."""
        before = next(self.taken)
        _, cores = await self.readings.rate(which, self.read)
        return cores, next(self.taken) - before - 1


async def test_the_first_time_takes_two_readings_and_the_next_one_only_another():
    meter = Meter()
    assert await meter.asked() == (0.5, 2)
    meter.now += 1
    assert await meter.asked() == (1.0 / 3.0, 1)


async def test_a_reading_that_is_too_young_or_too_old_is_not_compared_with():
    meter = Meter()
    await meter.asked()
    meter.now += 0.2
    assert (await meter.asked())[1] == 2
    meter.now += 60
    assert (await meter.asked())[1] == 2
    meter.now -= 3600
    assert (await meter.asked())[1] == 2


async def test_every_container_has_readings_of_its_own():
    meter = Meter()
    await meter.asked(WEB)
    meter.now += 1
    assert (await meter.asked(SHOP))[1] == 2
    assert (await meter.asked(WEB))[1] == 1


async def test_what_was_started_anew_in_between_uses_nothing_rather_than_less():
    meter = Meter()
    await meter.asked()
    meter.now += 1
    meter.used = -100.0
    assert (await meter.asked())[0] == 0.0
