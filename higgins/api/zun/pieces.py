"""Pieces of bytes as they stand in JSON, one after the other and never held whole."""

import base64
import codecs
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec


async def quoted(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """One JSON string. What is no UTF-8 becomes replacement characters."""
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    opening = b'"'
    async for piece in pieces:
        if text := opening + _escaped(decode(piece)):
            yield text
        opening = b""
    yield opening + _escaped(decode(b"", True)) + b'"'


async def base64_quoted(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """One JSON string in base64."""
    yield b'"'
    rest = b""
    async for piece in pieces:
        waiting = rest + piece
        # Only whole groups of three bytes: padding belongs to the end.
        cut = len(waiting) - len(waiting) % 3
        rest = waiting[cut:]
        if cut:
            yield base64.b64encode(waiting[:cut])
    yield base64.b64encode(rest) + b'"'


def _escaped(text: str) -> bytes:
    """The text as it stands inside a JSON string."""
    return msgspec.json.encode(text)[1:-1]
