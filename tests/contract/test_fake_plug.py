"""The contract of plugs on the one in memory."""

import itertools

import pytest

from higgins.testing.networks import FakePlug
from higgins.testing.plug_contract import Addresses, End, PlugContract, Start


class TestFakePlug(PlugContract):
    @pytest.fixture
    def plug(self) -> FakePlug:
        return FakePlug()

    @pytest.fixture
    def stranger(self) -> FakePlug:
        return FakePlug()

    @pytest.fixture
    def start(self) -> Start:
        numbers = itertools.count(1000)

        async def start() -> int:
            return next(numbers)

        return start

    @pytest.fixture
    def end(self, plug: FakePlug) -> End:
        async def end(pid: int) -> None:
            plug.gone.add(pid)

        return end

    @pytest.fixture
    def addresses(self, plug: FakePlug, stranger: FakePlug) -> Addresses:
        async def addresses(pid: int) -> dict[str, tuple[str, ...]]:
            return {
                port.interface: port.addresses
                for each in (plug, stranger)
                for port, namespace in each.plugged.values()
                if namespace == f"net:[{pid}]"
            }

        return addresses
