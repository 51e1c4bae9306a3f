"""A WebSocket as a client has it: binary messages, read and written without waiting."""

import base64
import hashlib
import os
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from higgins import errors
from higgins.client import refusals
from higgins.client.connection import Connection, Lost, Place, Trust

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_CHUNK = 256 * 1024
_LONGEST_ANSWER = 64 * 1024
_WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class WebSocket:
    """An open one. To be watched with `select`: `read` when it can be read, `flush` when it can be written and `unsent` is not 0."""

    def __init__(self, connected: socket.socket, early: bytes) -> None:
        self._socket = connected
        self._received = bytearray(early)
        self._unsent = bytearray()
        self._message = bytearray()
        self.closed = False
        """The server has said goodbye, or is gone."""
        connected.setblocking(False)

    @classmethod
    def open(cls, url: str, trust: Trust, protocol: str) -> "WebSocket":
        """Raises what the server refuses it with, and NotAcceptable if it does not speak the protocol."""
        place = Place.of(url)
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        key = base64.b64encode(os.urandom(16))
        connected = Connection(place, trust).dialled()
        connected.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {place.origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {protocol}\r\n"
            "User-Agent: higgins\r\n\r\n".encode()
        )
        status, headers, early = _answer(connected, place)
        if status != 101:
            raise refusals.failure(status, headers, early)
        proof = base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode()
        if headers.get("sec-websocket-accept") != proof:
            raise errors.Unavailable(f"what answers at {place} is no WebSocket")
        if headers.get("sec-websocket-protocol") != protocol:
            raise errors.NotAcceptable("this server is too old for sessions with this command")
        return cls(connected, early)

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that wait until the server takes them."""
        return len(self._unsent)

    def send(self, message: bytes) -> None:
        """Send it as soon as the server takes it."""
        self._queue(_BINARY, message)

    def flush(self) -> None:
        """Send what can be sent now. Raises Lost."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(memoryview(self._unsent)[:_CHUNK].tobytes())]
        except _WAITS:
            pass
        except OSError as error:
            self.closed = True
            raise Lost("the connection to the server broke") from error

    def read(self) -> Iterator[bytes]:
        """The messages that have come. Raises Lost if the server has gone without a goodbye."""
        yield from self._messages()
        while not self.closed:
            try:
                piece = self._socket.recv(_CHUNK)
            except _WAITS:
                return
            except OSError as error:
                self.closed = True
                raise Lost("the connection to the server broke") from error
            if not piece:
                self.closed = True
                raise Lost("the server has gone")
            self._received += piece
            yield from self._messages()
            # What TLS has already unpacked is not seen by `select`.
            if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
                return

    def close(self) -> None:
        """Say goodbye, and do not wait for an answer."""
        if not self.closed:
            self.closed = True
            try:
                self._queue(_CLOSE, struct.pack(">H", 1000))
                self.flush()
            except Lost:
                pass
        self._socket.close()

    def _messages(self) -> Iterator[bytes]:
        while (frame := self._frame()) is not None:
            final, kind, content = frame
            match kind:
                case 0 | 1 | 2:  # a message, or more of it
                    self._message += content
                    if final:
                        message, self._message = bytes(self._message), bytearray()
                        yield message
                case 9:
                    self._queue(_PONG, content)
                    self.flush()
                case 8:
                    self.closed = True
                    return

    def _frame(self) -> tuple[bool, int, bytes] | None:
        """The next whole frame, None if it is not here yet."""
        received = self._received
        if len(received) < 2:
            return None
        start, length = 2, received[1] & 0x7F
        if length >= 126:
            size, shape = (2, ">H") if length == 126 else (8, ">Q")
            start += size
            if len(received) < start:
                return None
            (length,) = struct.unpack_from(shape, received, 2)
        if len(received) < start + length:
            return None
        first = received[0]
        content = bytes(received[start : start + length])
        del received[: start + length]
        return bool(first & 0x80), first & 0x0F, content

    def _queue(self, kind: int, content: bytes) -> None:
        length = len(content)
        if length < 126:
            head = struct.pack(">BB", 0x80 | kind, 0x80 | length)
        elif length < 65536:
            head = struct.pack(">BBH", 0x80 | kind, 0x80 | 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | kind, 0x80 | 127, length)
        mask = os.urandom(4)
        self._unsent += head + mask + _masked(content, mask)


def _masked(content: bytes, mask: bytes) -> bytes:
    """As one long number, which is as fast as memory is."""
    length = len(content)
    key = int.from_bytes((mask * (length // 4 + 1))[:length], "little")
    return (int.from_bytes(content, "little") ^ key).to_bytes(length, "little")


def _answer(connected: socket.socket, place: Place) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers with small letters, and what came after them. Raises Lost."""
    received = b""
    try:
        while b"\r\n\r\n" not in received and len(received) < _LONGEST_ANSWER:
            if not (piece := connected.recv(4096)):
                break
            received += piece
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        if status != 101:
            while len(rest) < min(int(headers.get("content-length", 0)), _LONGEST_ANSWER):
                if not (piece := connected.recv(4096)):
                    break
                rest += piece
    except (OSError, ValueError, IndexError) as error:
        raise Lost(f"the connection to {place} broke") from error
    return status, headers, rest
