"""What one end of a live call gives the other, on its way to the stream."""

import asyncio
from collections import deque
from collections.abc import Sequence

from higgins.link.live import Kind
from higgins.model.live import Content

FRAME = 256 * 1024
"""Bytes in one message at most; so many again wait to be sent, and so what is on the way stays small."""

_SMALL = 4096
"""Bytes; what has fewer is joined at once, so that what waits takes no more memory than its bytes."""
_ENTRIES = 1024
"""Contents that wait at most when they cannot be joined."""

WINDOW = 4 * FRAME
"""Bytes of input that a host keeps until they are taken: of what it has not told to be taken, no more than these are on the way."""


class Frames:
    """Contents in the order in which they are put, each of a kind; what is put while a frame is on its way goes together into the next: a log of short
    lines would otherwise cost a tenth of a millisecond a line."""

    def __init__(self, *, room: int = FRAME, window: int | None = None) -> None:
        """`room`: whoever puts waits while so many bytes do. `window`: no more than so many, and a frame, are taken before some are confirmed."""
        self._capacity = room
        self._window = window
        self._unconfirmed = 0
        self._waiting: deque[tuple[Kind, Content, bool]] = deque()
        """Kind, content, and whether what comes next of the kind may be joined to it."""
        self._size = 0
        self._closed = False
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, kind: Kind, content: Content) -> None:
        """Returns when there is room for more; does nothing once it is closed. One task at a time for each kind."""
        for start in range(0, len(content), FRAME):
            await self._has_room()
            if self._closed:
                return
            self._append(kind, content[start : start + FRAME])

    async def put_whole(self, kind: Kind, content: bytes) -> None:
        """The same, but it is neither joined nor cut."""
        await self._has_room()
        self.add(kind, content)

    def add(self, kind: Kind, content: bytes = b"", *, first: bool = False) -> None:
        """Something small that stands for itself, at once; `first`: before all that waits."""
        if not self._closed:
            (self._waiting.appendleft if first else self._waiting.append)((kind, content, False))
            self._filled.set()

    def close(self) -> None:
        """Nothing more is put; what waits can still be taken."""
        self._closed = True
        self._room.set()
        self._filled.set()

    def drop(self) -> None:
        """Nobody needs any of it."""
        self._waiting.clear()
        self.close()

    def confirm(self, taken: int) -> None:
        """So many more bytes have arrived where they should."""
        self._unconfirmed -= taken
        self._filled.set()

    async def take(self) -> tuple[Kind, Sequence[Content]] | None:
        """A kind, and the parts of a frame; None when it is closed and empty."""
        while not self._waiting or self._hindered():
            if self._closed and not self._waiting:
                return None
            self._filled.clear()
            await self._filled.wait()
        kind, content, joined = self._waiting.popleft()
        if not joined:
            return kind, (content,)
        parts, size = [content], len(content)
        while self._waiting and self._waiting[0][0] == kind and self._waiting[0][2]:
            if size + len(self._waiting[0][1]) > FRAME:
                break
            parts.append(self._waiting.popleft()[1])
            size += len(parts[-1])
        self._size -= size
        self._unconfirmed += size
        self._room.set()
        return kind, parts

    def _append(self, kind: Kind, content: Content) -> None:
        if len(content) >= _SMALL:
            self._waiting.append((kind, content, True))
        elif self._waiting and self._waiting[-1][0] == kind and isinstance(self._waiting[-1][1], bytearray):
            self._waiting[-1][1].extend(content)
            if len(self._waiting[-1][1]) >= _SMALL:
                self._waiting[-1] = (kind, bytes(self._waiting[-1][1]), True)
        else:
            self._waiting.append((kind, bytearray(content), True))
        self._size += len(content)
        self._filled.set()

    async def _has_room(self) -> None:
        while (self._size >= self._capacity or len(self._waiting) > _ENTRIES) and not self._closed:
            self._room.clear()
            await self._room.wait()

    def _hindered(self) -> bool:
        return self._window is not None and self._unconfirmed >= self._window
