"""The contract of network providers on the one in memory."""

import pytest

from higgins.testing.network_contract import NetworkContract
from higgins.testing.networks import BLUE, FakeNetworks


class TestFakeNetworks(NetworkContract):
    @pytest.fixture
    def provider(self) -> FakeNetworks:
        return FakeNetworks()

    @pytest.fixture
    def network(self) -> str:
        return BLUE
