"""A queue of bounded length between tasks, which either side can end."""

import asyncio
from collections import deque
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Pipe(Generic[Item]):
    """Keeps the order. Whoever puts waits while it is full; cancelling a wait loses nothing."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._ended = False
        self._failure: Exception | None = None
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    def end(self, failure: Exception | None = None) -> None:
        """Nothing more comes; why not, if something went wrong. Only the first end counts."""
        if not self._ended:
            self._ended, self._failure = True, failure
            self._filled.set()
            self._room.set()

    async def put(self, item: Item) -> None:
        """Raises what the pipe was ended with, or BrokenPipeError."""
        while len(self._items) >= self._capacity and not self._ended:
            self._room.clear()
            await self._room.wait()
        if self._ended:
            raise self._failure or BrokenPipeError("nobody takes any more")
        self._items.append(item)
        self._filled.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        """What was put, to the end; then raises what the pipe was ended with."""
        while not self._items and not self._ended:
            self._filled.clear()
            await self._filled.wait()
        if not self._items:
            raise self._failure or StopAsyncIteration
        self._room.set()
        return self._items.popleft()
