"""The images in memory keep the contract, so that what is tested with them is true of real ones."""

from collections.abc import Awaitable, Callable

import pytest

from higgins.model.registry import Login
from higgins.testing.image_contract import ImageContract, Name, Private, Use
from higgins.testing.images import FakeImages
from higgins.testing.runtime import FakeRuntime
from higgins.testing.runtime_contract import a_container, origin_of

IMAGE = "higgins-test/busybox:latest"
LOGIN = Login(domain="registry.example", username="martha", password="open sesame")


class TestFakeImages(ImageContract):
    @pytest.fixture
    def images(self) -> FakeImages:
        return FakeImages(
            [IMAGE], registry=["registry.example/team/app:1"], private={"registry.example/team/secret:1": LOGIN}
        )

    @pytest.fixture
    def here(self) -> str:
        return IMAGE

    @pytest.fixture
    def elsewhere(self) -> str:
        return "registry.example/team/app:1"

    @pytest.fixture
    def nowhere(self) -> str:
        return "registry.example/none:1"

    @pytest.fixture
    def private(self) -> Private:
        return Private(reference="registry.example/team/secret:1", login=LOGIN)

    @pytest.fixture
    def name(self, images: FakeImages) -> Name:
        async def name(reference: str, also: str) -> None:
            images.name(reference, also)

        return name

    @pytest.fixture
    def use(self, images: FakeImages) -> Use:
        runtime = FakeRuntime(images=images)

        async def use(image: str) -> Callable[[], Awaitable[None]]:
            container = a_container(image, "true")
            await runtime.create(origin_of(container), container)
            return lambda: runtime.remove(container.id)

        return use
