"""What the client's WebSocket promises: messages stay whole, nothing waits, goodbyes are heard."""

import select
import socket
import struct

import pytest

from higgins.client.connection import Lost
from higgins.client.websocket import WebSocket


def frame(content: bytes, kind: int = 2, *, final: bool = True) -> bytes:
    """As a server sends it."""
    first = (0x80 if final else 0) | kind
    if len(content) < 126:
        return struct.pack(">BB", first, len(content)) + content
    if len(content) < 65536:
        return struct.pack(">BBH", first, 126, len(content)) + content
    return struct.pack(">BBQ", first, 127, len(content)) + content


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield WebSocket(ours, b""), theirs
    ours.close()
    theirs.close()


def everything(line: WebSocket, theirs: socket.socket, sent: bytes, size: int) -> list[bytes]:
    """What is heard when it comes in pieces of that size."""
    heard = []
    for at in range(0, len(sent), size):
        theirs.sendall(sent[at : at + size])
        heard += list(line.read())
    return heard


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100000])
def test_messages_are_the_same_wherever_they_are_cut(pair, size):
    line, theirs = pair
    sent = frame(b"\1one") + frame(b"\1tw", final=False) + frame(b"ping", kind=9) + frame(b"o", kind=0) + frame(b"")
    assert everything(line, theirs, sent, size) == [b"\1one", b"\1two", b""]
    assert theirs.recv(100)[0] == 0x8A


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 300000])
def test_messages_of_any_length_arrive_masked_and_whole(pair, length):
    line, theirs = pair
    content = bytes(range(256)) * (length // 256) + bytes(length % 256)
    line.send(content)
    received = b""
    while line.unsent or select.select([theirs], [], [], 0)[0]:
        line.flush()
        received += theirs.recv(1 << 20)
    assert received[1] & 0x80
    start = {126: 4, 127: 10}.get(received[1] & 0x7F, 2)
    mask, masked = received[start : start + 4], received[start + 4 :]
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked)) == content


def test_what_comes_together_with_the_greeting_is_heard():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert list(WebSocket(ours, frame(b"early")).read()) == [b"early"]


def test_a_goodbye_ends_it_without_a_failure(pair):
    line, theirs = pair
    theirs.sendall(frame(b"last") + frame(struct.pack(">H", 1000), kind=8))
    assert list(line.read()) == [b"last"]
    assert line.closed


def test_a_server_that_is_gone_is_a_failure_after_what_it_said(pair):
    line, theirs = pair
    theirs.sendall(frame(b"last"))
    theirs.close()
    assert list(line.read()) == [b"last"]
    with pytest.raises(Lost):
        list(line.read())


def test_a_server_that_takes_nothing_keeps_nobody_waiting(pair):
    line, _ = pair
    line.send(bytes(8 << 20))
    line.flush()
    assert line.unsent
    assert list(line.read()) == []
