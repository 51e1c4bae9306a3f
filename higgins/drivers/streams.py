"""What containers say and are told, as a Docker Engine carries it: frames, and connections that speak no HTTP any more."""

import asyncio
from collections.abc import Iterator

import aiohttp

from higgins import errors
from higgins.aio.bell import Bell
from higgins.model.live import Piece

_HEADER = 8
"""Bytes before each frame: the stream, three of nothing, and four that say how long the frame is."""
_ASIDE = 2
_COMPLAINT = 3
"""The stream on which the engine itself speaks."""
_BUFFER = 256 * 1024
"""Bytes; a peer waits while about twice as many are not taken."""
_WRAPPING = 64
"""Bytes that each arrival takes besides its own, so that many small ones are no way around the limit."""


class Frames:
    """Unpacks the output of a process without a terminal, however it was cut."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0
        self._stream = 0
        self._complaint = b""

    def feed(self, content: bytes) -> Iterator[Piece]:
        """What it says of standard output and standard error, in the order it came; of frames of one stream that came together one piece is made."""
        waiting: list[memoryview] = []
        stream = self._stream
        for payload in self._payloads(memoryview(content)):
            if self._stream != stream and waiting:
                yield Piece(b"".join(waiting), aside=stream == _ASIDE)
                waiting = []
            stream = self._stream
            if stream == _COMPLAINT:
                self._complaint += payload
            else:
                waiting.append(payload)
        if waiting:
            yield Piece(b"".join(waiting), aside=stream == _ASIDE)

    def _payloads(self, content: memoryview) -> Iterator[memoryview]:
        """Each of the stream that is the present one when it comes."""
        at = 0
        while at < len(content):
            if self._left == 0:
                missing = content[at : at + _HEADER - len(self._header)]
                self._header += missing
                at += len(missing)
                if len(self._header) == _HEADER:
                    self._stream, self._left = self._header[0], int.from_bytes(self._header[4:])
                    self._header = b""
                continue
            payload = content[at : at + self._left]
            at += len(payload)
            self._left -= len(payload)
            yield payload

    def end(self) -> None:
        """Raises Unavailable for the engine's own complaints, which come in frames of their own."""
        if self._complaint:
            complaint = self._complaint.decode(errors="replace").strip()
            raise errors.Unavailable(f"Docker broke off the output: {complaint}")


class RawConnection:
    """A connection that the engine has handed over: bytes both ways, and neither side can send what the other does not take."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        """Takes the connection out of the hands of the HTTP client, which keeps the promise to close it. Raises Unavailable if there is none."""
        connection = response.connection
        if connection is None or connection.protocol is None or connection.transport is None:
            response.close()
            raise errors.Unavailable("The Docker Engine did not hand its connection over; is there a proxy before it?")
        # Whoever drops the answer drops the connection.
        self._response = response
        self._protocol = connection.protocol
        self._transport = connection.transport
        self._writing = asyncio.Lock()
        self._input_ended = False
        self._come: list[bytes] = []
        self._size = 0
        self._over = False
        self._news = Bell()
        self._protocol.set_parser(self, None)

    # What the HTTP client calls.

    def feed_data(self, content: bytes) -> tuple[bool, bytes]:
        self._come.append(content)
        self._size += len(content) + _WRAPPING
        if self._size >= _BUFFER:
            self._transport.pause_reading()
        self._news.ring()
        return False, b""

    def feed_eof(self) -> None:
        self._over = True
        self._news.ring()

    # What we call.

    async def read(self) -> bytes:
        """What has come, empty at the end. A connection that broke has ended too: ask the engine what became of the rest."""
        while not self._come:
            if self._over:
                return b""
            await self._news.wait(None)
        content = b"".join(self._come)
        self._come.clear()
        self._size = 0
        self._transport.resume_reading()
        return content

    async def write(self, content: bytes) -> None:
        """Returns when more fits. Does nothing once the other side, or `end`, has ended it."""
        async with self._writing:
            if self._input_ended or self._transport.is_closing():
                return
            self._transport.write(content)
            try:
                # The client has no public way to wait; the one of asyncio's own writers goes here too.
                await self._protocol._drain_helper()
            except ConnectionError:
                return

    def end(self) -> None:
        """Nothing more is written, and the other side is told; over TLS that cannot be told, and it waits on."""
        if not self._input_ended and not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()
        self._input_ended = True

    def close(self) -> None:
        """Both ways and at once: what has been written and is not on its way yet would wait for somebody who may never take it."""
        if self._protocol.connected:
            self._transport.abort()
        self._response.close()
