"""The fakes keep the contracts, so that what is tested with them is true of real runtimes."""

from collections.abc import Awaitable, Callable

import pytest

from higgins.model.capsule import Condition
from higgins.model.ids import ContainerId
from higgins.testing.images import FakeImages
from higgins.testing.runtime import FakeRuntime
from higgins.testing.runtime_contract import Behave, Checked, RuntimeContract

IMAGE = "higgins-test/busybox:latest"


class TestFakeRuntime(RuntimeContract):
    @pytest.fixture
    def image(self) -> str:
        return IMAGE

    @pytest.fixture
    def runtime(self) -> FakeRuntime:
        return FakeRuntime(images=FakeImages([IMAGE]))

    @pytest.fixture
    def behave(self, runtime: FakeRuntime) -> Behave:
        return runtime.behave

    @pytest.fixture
    def checked(self, runtime: FakeRuntime) -> Checked:
        def checked(container_id: ContainerId, condition: Condition, failures: int, output: str) -> None:
            runtime.check(container_id, condition, failures=failures, output=output)

        return checked

    @pytest.fixture
    def vanish(self, runtime: FakeRuntime) -> Callable[[ContainerId], Awaitable[None]]:
        async def vanish(container_id: ContainerId) -> None:
            runtime.forget(container_id)

        return vanish
