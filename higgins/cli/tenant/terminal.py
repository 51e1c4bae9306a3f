"""The terminal of whoever sits before it: raw while a session lasts, and as it was afterwards, whatever happens."""

import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from higgins import errors

DETACH = "ctrl-p,ctrl-q"
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def size() -> tuple[int, int] | None:
    """Width and height; None if there is no terminal."""
    for stream in (sys.stdout, sys.stdin, sys.stderr):
        try:
            width, height = os.get_terminal_size(stream.fileno())
        except (OSError, ValueError):
            continue
        if width and height:
            return width, height
    return None


@contextmanager
def raw(fd: int) -> Iterator[None]:
    """Every key goes through as it is pressed while the block runs; a signal that ends the program ends the block first."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = termios.tcgetattr(fd)
    handlers = {number: signal.signal(number, end) for number in _ENDING}
    calm = False
    try:
        tty.setraw(fd, termios.TCSADRAIN)
        yield
        calm = True
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if not calm:
            # What comes next on this terminal begins on a line of its own.
            sys.stderr.write("\n")


class Escape:
    """Finds the keys that leave a session among those that are pressed."""

    def __init__(self, keys: bytes) -> None:
        """`keys` empty: there is no way to leave."""
        self._keys = keys
        self._held = 0

    def passed(self, typed: bytes) -> tuple[bytes, bool]:
        """What goes through, and whether the keys were pressed. The beginning of the keys is held back until it is known to be none."""
        if not self._keys:
            return typed, False
        through = bytearray()
        for byte in typed:
            if byte == self._keys[self._held]:
                self._held += 1
                if self._held == len(self._keys):
                    return bytes(through), True
                continue
            through += self._keys[: self._held]
            self._held = int(byte == self._keys[0])
            if not self._held:
                through.append(byte)
        return bytes(through), False


def keys(text: str) -> bytes:
    """Of `ctrl-p,ctrl-q` or `a,ctrl-]`; nothing for no keys. Raises Invalid."""
    found = bytearray()
    for key in text.split(",") if text else ():
        match key.lower().removeprefix("ctrl-"):
            case letter if (
                key.lower().startswith("ctrl-") and len(letter) == 1 and letter in "abcdefghijklmnopqrstuvwxyz@[\\]^_"
            ):
                found.append(ord(letter.upper()) - 64)
            case letter if len(key) == 1 and key.isascii():
                found.append(ord(key))
            case _:
                raise errors.Invalid(f"{key!r} is no key: it is a character, or ctrl- and a letter")
    return bytes(found)
