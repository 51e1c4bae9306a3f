"""The stream of a live call: messages of one byte, which says what the rest is, and the rest.

They are bytes for gRPC, not its own messages: those copy what is in them twice on either side, and most of what goes here are large pieces.
"""

from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any

import grpc

from higgins.model.live import Content

_SERVICE, _METHOD = "higgins.link.v1.Live", "Answer"


class Kind(IntEnum):
    """What a message is."""

    CALL = 1
    """From the host, first of all: the id of the call, as text."""
    PIECE = 2
    """From either side: bytes."""
    ASIDE = 3
    """From the host: bytes of standard error."""
    HEAD = 4
    """From the host: a PathStat, as a JSON document; empty: what was asked for has begun."""
    TAKEN = 5
    """From the host: so many more bytes of input are out of the way, as eight bytes."""
    FINISHED = 6
    """From the host, last of all: the reply, as a JSON document."""
    FAILED = 7
    """From the host, last of all: a failure, as a JSON document."""
    END = 8
    """From the caller: nothing more comes."""


def pack(kind: Kind, *parts: Content) -> bytes:
    """A message; its rest is the parts, joined."""
    return b"".join((_TAGS[kind], *parts))


def kind(message: bytes) -> Kind | None:
    """What it is; None for what only a newer peer knows."""
    return _KINDS.get(message[0]) if message else None


def content(message: bytes) -> bytes:
    return message[1:]


def pack_number(number: int) -> bytes:
    return number.to_bytes(8)


def unpack_number(content: bytes) -> int:
    return int.from_bytes(content)


def dial(channel: grpc.aio.Channel) -> Any:
    """A live stream to the control plane.

    It answers with its initial metadata, once, if somebody still waits for the answer; nothing is done before. When it ends the stream, the host stops
    what it does for it.
    """
    return channel.stream_stream(f"/{_SERVICE}/{_METHOD}")()


def serve(server: grpc.aio.Server, answer: Callable[[Any, Any], Awaitable[None]]) -> None:
    """Let a server take live streams."""
    handlers = {_METHOD: grpc.stream_stream_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))


_TAGS = {each: bytes([each]) for each in Kind}
_KINDS = {int(each): each for each in Kind}
