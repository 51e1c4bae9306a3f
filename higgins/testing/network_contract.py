"""What every network provider has to keep, as tests: derive from the class and give it the fixtures."""

from dataclasses import replace

import pytest

from higgins import errors
from higgins.model.capsule import Capsule
from higgins.model.network import NetworkWish
from higgins.protocols.network import NetworkProvider
from higgins.testing import builders


class NetworkContract:
    """`provider` is the one to be tested; `network` the id of a network that it has."""

    @pytest.fixture
    def provider(self) -> NetworkProvider:
        raise NotImplementedError

    @pytest.fixture
    def network(self) -> str:
        raise NotImplementedError

    async def test_asking_again_gives_the_same_ports(self, provider: NetworkProvider, network: str) -> None:
        capsule = wishing(builders.wish(network))
        first = await provider.allot(capsule)
        assert len(first) == 1
        assert await provider.allot(capsule) == first

    async def test_each_wish_has_its_port(self, provider: NetworkProvider, network: str) -> None:
        first, second = builders.wish(network), builders.wish(network)
        one, other = await provider.allot(wishing(first, second))
        assert [one.id, other.id] == [first.port, second.port]
        assert one.interface != other.interface

    async def test_other_wishes_leave_the_ports_of_those_that_stay_as_they_were(
        self, provider: NetworkProvider, network: str
    ) -> None:
        first, second, third = builders.wish(network), builders.wish(network), builders.wish(network)
        capsule = wishing(first, second)
        _, stays = await provider.allot(capsule)
        kept, fresh = await provider.allot(
            replace(capsule, spec=replace(capsule.spec, networks=(second, third), attachments=1))
        )
        assert kept == stays
        assert (fresh.id, fresh.interface) != (stays.id, stays.interface)

    async def test_two_capsules_have_nothing_in_common(self, provider: NetworkProvider, network: str) -> None:
        (one,) = await provider.allot(wishing(builders.wish(network)))
        (other,) = await provider.allot(wishing(builders.wish(network)))
        assert one.id != other.id
        assert not set(one.addresses) & set(other.addresses)

    async def test_a_network_that_does_not_exist_is_not_found(self, provider: NetworkProvider) -> None:
        with pytest.raises(errors.NotFound, match="no-such-network"):
            await provider.allot(wishing(builders.wish("no-such-network")))

    async def test_what_was_allotted_in_part_can_be_given_back(self, provider: NetworkProvider, network: str) -> None:
        capsule = wishing(builders.wish(network), builders.wish("no-such-network"))
        with pytest.raises(errors.NotFound):
            await provider.allot(capsule)
        await provider.release(capsule.id)

    async def test_giving_back_twice_or_nothing_succeeds(self, provider: NetworkProvider, network: str) -> None:
        capsule = wishing(builders.wish(network))
        await provider.release(capsule.id)
        await provider.allot(capsule)
        await provider.release(capsule.id)
        await provider.release(capsule.id)


def wishing(*networks: NetworkWish) -> Capsule:
    """A capsule that asks for these networks."""
    return builders.capsule(builders.spec(networks=networks))
