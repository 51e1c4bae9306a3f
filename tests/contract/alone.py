"""A runtime that puts each container into a sandbox of its own, so that the suites show how little that changes."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from higgins.model.capsule import Container, Observation
from higgins.model.ids import ContainerId
from higgins.protocols.runtime import Origin
from higgins.testing.runtime_contract import Capable


def sandbox_of(container_id: ContainerId) -> ContainerId:
    """The one that a container is put into."""
    return ContainerId(str(uuid.uuid5(uuid.NAMESPACE_OID, container_id)))


class Alone:
    """Whoever says nothing of sandboxes sees none; everything else is the runtime's own."""

    def __init__(self, runtime: Capable) -> None:
        self.plain = runtime
        self.hidden: set[ContainerId] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    async def create(self, origin: Origin, container: Container) -> None:
        if origin.sandbox is None and not await self.plain.list([container.id]):
            sandbox = sandbox_of(container.id)
            self.hidden.add(sandbox)
            sheltered = replace(origin, handler=None, sandbox=sandbox)
            await self.plain.create_sandbox(sheltered, sandbox, hostname=container.hostname, bare=True)
            await self.plain.start(sandbox)
            origin = replace(origin, sandbox=sandbox)
        await self.plain.create(origin, container)

    async def remove(self, container_id: ContainerId) -> None:
        await self.plain.remove(container_id)
        if sandbox_of(container_id) in self.hidden:
            await self.plain.remove(sandbox_of(container_id))

    async def list(self, containers: Sequence[ContainerId] | None = None) -> Mapping[ContainerId, Observation]:
        there = await self.plain.list(containers)
        return {each: seen for each, seen in there.items() if each not in self.hidden}

    def watch(self) -> AsyncIterator[ContainerId]:
        return self._shown(self.plain.watch())

    async def _shown(self, changes: AsyncIterator[ContainerId]) -> AsyncIterator[ContainerId]:
        async for each in changes:
            if each not in self.hidden:
                yield each
