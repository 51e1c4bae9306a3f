"""What every store of images must do, as a suite to inherit from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from higgins import errors
from higgins.model.capsule import Progress
from higgins.model.registry import Login
from higgins.protocols.image import ImageSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """An image that is not here, and that its registry gives only to who logs in."""

    reference: str
    login: Login


Use = Callable[[str], Awaitable[Callable[[], Awaitable[None]]]]
"""Makes a container of an image that is here; gives what removes it again."""
Name = Callable[[str, str], Awaitable[None]]
"""Gives an image that is here another name as well."""


class ImageContract:
    """The promises of `ImageSource`."""

    @pytest.fixture
    def images(self) -> ImageSource:
        """The store of images."""
        raise NotImplementedError

    @pytest.fixture
    def here(self) -> str:
        """An image that is here."""
        raise NotImplementedError

    @pytest.fixture
    def elsewhere(self) -> str:
        """An image that is not here, and that a registry has under the path team/app."""
        raise NotImplementedError

    @pytest.fixture
    def nowhere(self) -> str:
        """An image that this registry does not have."""
        raise NotImplementedError

    @pytest.fixture
    def private(self) -> Private:
        raise NotImplementedError

    @pytest.fixture
    def use(self) -> Use:
        raise NotImplementedError

    @pytest.fixture
    def name(self) -> "Name":
        raise NotImplementedError

    async def test_an_image_that_is_here_has_a_digest(self, images: ImageSource, here: str) -> None:
        facts = await images.resolve(here)
        assert facts is not None
        assert facts.digest.startswith("sha256:")
        assert facts.size > 0

    async def test_an_image_that_is_not_here_has_none(self, images: ImageSource, elsewhere: str, nowhere: str) -> None:
        assert await images.resolve(elsewhere) is None
        assert await images.resolve(nowhere) is None

    async def test_a_fetched_image_is_here(self, images: ImageSource, elsewhere: str) -> None:
        assert await images.fetch(elsewhere) == await images.resolve(elsewhere)

    async def test_fetching_again_gives_the_same(self, images: ImageSource, elsewhere: str) -> None:
        assert await images.fetch(elsewhere) == await images.fetch(elsewhere)

    async def test_an_image_that_nobody_has_is_not_found(self, images: ImageSource, nowhere: str) -> None:
        with pytest.raises(errors.NotFound, match=f"Image {nowhere} could not be found") as failed:
            await images.fetch(nowhere)
        assert failed.value.name == "image-not-found"

    @pytest.mark.parametrize(
        "malformed", ["", "UPPER/case", "a b", "x:", "x:-t", "x@sha256:12", "-x", "x/", "/x", "x//y", "x:" + "t" * 129]
    )
    async def test_a_malformed_reference_is_invalid(self, images: ImageSource, malformed: str) -> None:
        with pytest.raises(errors.Invalid):
            await images.resolve(malformed)
        with pytest.raises(errors.Invalid):
            await images.fetch(malformed)

    async def test_how_far_a_fetch_is_can_be_seen(self, images: ImageSource, elsewhere: str) -> None:
        told: list[Progress] = []
        await images.fetch(elsewhere, None, told.append)
        assert told[-1].layers == told[-1].layers_done > 0
        assert told[-1].size == told[-1].done > 0
        assert [one.layers_done for one in told] == sorted(one.layers_done for one in told)
        assert all(one.done <= one.size for one in told)

    async def test_a_private_image_is_given_to_who_logs_in(self, images: ImageSource, private: Private) -> None:
        assert await images.fetch(private.reference, private.login) == await images.resolve(private.reference)

    async def test_a_private_image_is_given_to_nobody_else(self, images: ImageSource, private: Private) -> None:
        elsewhere = replace(private.login, domain="other.example")
        for login in (None, replace(private.login, password="wrong"), elsewhere):
            with pytest.raises(errors.NotFound, match=f"Image {private.reference} could not be ") as failed:
                await images.fetch(private.reference, login)
            assert failed.value.name == "image-not-found"
            assert private.login.password not in failed.value.message
        assert await images.resolve(private.reference) is None

    async def test_a_removed_image_is_not_here(self, images: ImageSource, elsewhere: str) -> None:
        await images.fetch(elsewhere)
        await images.remove(elsewhere)
        assert await images.resolve(elsewhere) is None
        await images.remove(elsewhere)

    async def test_an_image_that_a_container_is_made_of_stays(
        self, images: ImageSource, elsewhere: str, use: Use
    ) -> None:
        await images.fetch(elsewhere)
        away = await use(elsewhere)
        with pytest.raises(errors.Conflict, match="container"):
            await images.remove(elsewhere)
        assert await images.resolve(elsewhere) is not None
        await away()
        await images.remove(elsewhere)

    async def test_of_several_names_each_goes_that_no_container_was_made_by(
        self, images: ImageSource, elsewhere: str, use: Use, name: Name
    ) -> None:
        facts = await images.fetch(elsewhere)
        other, third = elsewhere.rpartition(":")[0] + ":other", "higgins-test/third:1"
        for also in (other, third):
            await name(elsewhere, also)
        away = await use(other)
        assert await images.remove(elsewhere)
        assert await images.resolve(elsewhere) is None
        assert await images.resolve(other) == facts
        with pytest.raises(errors.Conflict, match="container"):
            await images.remove(other)
        assert await images.remove(third)
        await away()
        assert not await images.remove(other)
        assert await images.resolve(other) is None

    async def test_only_an_image_that_has_lost_its_name_is_removed_by_its_digest(
        self, images: ImageSource, elsewhere: str
    ) -> None:
        facts = await images.fetch(elsewhere)
        with pytest.raises(errors.Conflict, match="name"):
            await images.remove(facts.digest)
        assert await images.resolve(elsewhere) == facts

    async def test_what_a_registry_has_can_be_searched(self, images: ImageSource, private: Private) -> None:
        name = private.reference.partition("/")[2].partition(":")[0]
        found = await images.search(name[:-1], private.login)
        assert name in [hit.name.removeprefix(f"{private.login.domain}/") for hit in found]
        assert await images.search(name[:-1], private.login, exact=True) == []
        (exact,) = await images.search(name, private.login, exact=True)
        assert exact.name.endswith(name)

    async def test_how_full_the_disk_is_can_be_told(self, images: ImageSource) -> None:
        assert 0 <= await images.fill() <= 1
