"""Hints by topic: whoever listens to a topic is told which things there may have changed."""

from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from higgins.aio.bell import Bell

Topic = TypeVar("Topic", bound=Hashable)
Thing = TypeVar("Thing", bound=Hashable)


class Listener(Generic[Thing]):
    """Collects the things that were hinted at since it last looked."""

    def __init__(self) -> None:
        self.bell = Bell()
        self._things: set[Thing] = set()

    def tell(self, thing: Thing) -> None:
        self._things.add(thing)
        self.bell.ring()

    def take(self) -> frozenset[Thing]:
        """All since the last time."""
        things, self._things = frozenset(self._things), set()
        return things


class Topics(Generic[Topic, Thing]):
    """Passes hints on to those who listen now; a hint that nobody hears is gone."""

    def __init__(self) -> None:
        self._listeners: defaultdict[Topic, set[Listener[Thing]]] = defaultdict(set)

    def hint(self, topic: Topic, thing: Thing) -> None:
        for listener in self._listeners.get(topic, ()):
            listener.tell(thing)

    @contextmanager
    def listen(self, topic: Topic) -> Iterator[Listener[Thing]]:
        listener: Listener[Thing] = Listener()
        self._listeners[topic].add(listener)
        try:
            yield listener
        finally:
            self._listeners[topic].discard(listener)
            if not self._listeners[topic]:
                del self._listeners[topic]
