"""Which containers the runtime itself has its hands on, so that nobody repairs what is meant."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from higgins.model.ids import ContainerId


class Holds:
    """Containers that are frozen for a moment, by nobody's wish: they go on by themselves."""

    def __init__(self) -> None:
        self._held: Counter[ContainerId] = Counter()

    @contextmanager
    def hold(self, container_id: ContainerId) -> Iterator[None]:
        self._held[container_id] += 1
        try:
            yield
        finally:
            self._held[container_id] -= 1
            if not self._held[container_id]:
                del self._held[container_id]

    def __contains__(self, container_id: ContainerId) -> bool:
        return container_id in self._held
