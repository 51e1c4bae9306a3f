"""The fakes keep the contracts, so that what is tested with them is true of real runtimes."""

from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from higgins.model.capsule import Condition, Container
from higgins.model.ids import ContainerId, ExecId
from higgins.protocols.runtime import Talk
from higgins.testing.images import FakeImages
from higgins.testing.live_contract import LiveContract, SizeOf
from higgins.testing.runtime import FakeRuntime
from higgins.testing.runtime_contract import Behave, Checked, RuntimeContract
from tests.contract.alone import Alone

IMAGE = "higgins-test/busybox:latest"


class TestFakeRuntime(RuntimeContract, LiveContract):
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

    @pytest.fixture
    def size_of(self, runtime: FakeRuntime) -> SizeOf:
        async def size_of(container: Container, command: tuple[ExecId, Talk] | None) -> tuple[int, int]:
            size = runtime.size(container.id, command[0] if command else None)
            assert size is not None
            return size

        return size_of


class TestFakeRuntimeInSandboxes(TestFakeRuntime):
    """The same of containers that are each alone in a sandbox."""

    @pytest.fixture
    def runtime(self) -> FakeRuntime:
        return cast(FakeRuntime, Alone(FakeRuntime(images=FakeImages([IMAGE]))))
