"""The two ways in which the frames of a console's WebSocket are read: Zun's raw bytes, and channels that keep apart what is different."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct

from higgins import errors
from higgins.model.live import Content, Piece

BINARY = "binary"
"""Zun's sub-protocol, and what somebody who names none gets."""
CHANNELS = "v1.channels.higgins"

_STDIN, _STDOUT, _STDERR, _END, _SIZE, _CLOSE = (bytes([number]) for number in (0, 1, 2, 3, 4, 255))

Extent = Annotated[int, Meta(ge=1, le=65535)]


@dataclass(frozen=True, slots=True)
class Typed:
    """Bytes for the standard input."""

    content: Content


class Sized(Struct, frozen=True):
    """How large the terminal is now, in columns and rows."""

    width: Extent
    height: Extent


@dataclass(frozen=True, slots=True)
class Finished:
    """There is no more input."""


Heard = Typed | Sized | Finished


class Ended(Struct, frozen=True):
    """How it ended; without an exit code if it runs on."""

    exit_code: int | None


class Trouble(Struct, frozen=True):
    """What went wrong."""

    code: str
    title: str


class Failed(Struct, frozen=True):
    """That it ended by a failure."""

    error: Trouble


class Speech(Protocol):
    """How a client's frames become words, and words frames for it. None is ever empty: Zun's client would take that for the end."""

    @property
    def holding(self) -> bool:
        """Whether something is held back."""
        ...

    def hear(self, frame: bytes) -> Heard:
        """What a client's frame says. Raises Invalid for one that says nothing."""
        ...

    def tell(self, piece: Piece) -> bytes:
        """The frame for a piece of output; nothing if all of it is held back."""
        ...

    def rest(self) -> Sequence[bytes]:
        """Frames for what was held back."""
        ...

    def farewell(self, end: Ended | Failed) -> bytes:
        """The last frame, if there is one."""
        ...


def spoken(protocol: str | None) -> Speech:
    """How those speak who have agreed on this sub-protocol."""
    return Channels() if protocol == CHANNELS else Raw()


class Raw:
    """The bytes of a terminal and nothing else.

    Clients decode every frame by itself, so a character in UTF-8 is never divided between two: its beginning is held back, at most three bytes, until
    the rest comes or nothing does for a while. What is no UTF-8 passes as it is.
    """

    def __init__(self) -> None:
        # The beginnings of characters: those of standard output, and those of standard error.
        self._held = [b"", b""]

    @property
    def holding(self) -> bool:
        return any(self._held)

    def hear(self, frame: bytes) -> Heard:
        return Typed(frame)

    def tell(self, piece: Piece) -> bytes:
        content = self._held[piece.aside] + piece.content
        cut = _whole(content)
        self._held[piece.aside] = content[cut:]
        return content[:cut]

    def rest(self) -> Sequence[bytes]:
        held, self._held = self._held, [b"", b""]
        return [one for one in held if one]

    def farewell(self, end: Ended | Failed) -> bytes:
        return b""


class Channels:
    """Every frame begins with a byte that says what the rest is.

    From the client: 0 standard input, 4 the size of the terminal as {"width", "height"}, 255 and then 0: there is no more input. To the client: 1
    standard output, 2 standard error, 3 the end, as {"exit_code"} or {"error": {"code", "title"}}.
    """

    holding = False

    def hear(self, frame: bytes) -> Heard:
        channel, content = frame[:1], memoryview(frame)[1:]
        if channel == _STDIN:
            return Typed(content)
        if channel == _SIZE:
            try:
                return msgspec.json.decode(content, type=Sized)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise errors.Invalid(f"This is no size of a terminal: {error}") from error
        if channel == _CLOSE and content == _STDIN:
            return Finished()
        raise errors.Invalid(f"There is no channel {frame[0]} for clients." if frame else "A frame was empty.")

    def tell(self, piece: Piece) -> bytes:
        return (_STDERR if piece.aside else _STDOUT) + piece.content if piece.content else b""

    def rest(self) -> Sequence[bytes]:
        return ()

    def farewell(self, end: Ended | Failed) -> bytes:
        return _END + msgspec.json.encode(end)


def _whole(content: bytes) -> int:
    """How many bytes there are before a character of which only the beginning is there."""
    for back in range(1, min(3, len(content)) + 1):
        byte = content[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4 if byte < 0xF5 else 1
            return len(content) - back if length > back else len(content)
    return len(content)
