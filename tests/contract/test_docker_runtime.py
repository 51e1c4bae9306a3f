"""The Docker drivers keep the contracts, on a real engine and a real registry."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest

from higgins.drivers.engine import Engine
from higgins.drivers.images.docker import DockerImages
from higgins.drivers.runtimes.docker import DockerRuntime
from higgins.model.ids import ContainerId
from higgins.testing.runtime_contract import ImageContract, RuntimeContract
from tests.system.engine import BUSYBOX, docker_url, forget, push, registry_address

__all__ = ["docker_url", "registry_address"]

pytestmark = pytest.mark.docker


class TestDockerRuntime(RuntimeContract):
    @pytest.fixture
    def image(self) -> str:
        return BUSYBOX

    @pytest.fixture
    async def runtime(self, docker_url: str) -> AsyncIterator[DockerRuntime]:
        # An owner of its own: other tests may use the same engine.
        async with DockerRuntime(url=docker_url, owner=f"contract-{uuid4()}") as runtime:
            yield runtime

    @pytest.fixture
    def vanish(self, docker_url: str) -> Callable[[ContainerId], Awaitable[None]]:
        async def vanish(container_id: ContainerId) -> None:
            async with Engine(docker_url) as engine:
                await engine.call("DELETE", f"containers/higgins-{container_id}", {"force": True})

        return vanish


class TestDockerImages(ImageContract):
    @pytest.fixture
    async def images(self, docker_url: str) -> AsyncIterator[DockerImages]:
        async with DockerImages(url=docker_url) as images:
            yield images

    @pytest.fixture
    def here(self) -> str:
        return BUSYBOX

    @pytest.fixture
    async def elsewhere(self, docker_url: str, registry_address: str) -> AsyncIterator[str]:
        reference = await push(BUSYBOX, registry_address, "team/app:1")
        yield reference
        await forget(reference)

    @pytest.fixture
    def nowhere(self, registry_address: str) -> str:
        return f"{registry_address}/team/none:1"
