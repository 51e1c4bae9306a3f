"""A session at a container, or at a command in it: keys and pipes go in, what is printed comes out, and at the end there is an exit code."""

import json
import os
import select
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType

from higgins import errors
from higgins.cli.tenant import terminal
from higgins.client.cloud import Cloud
from higgins.client.websocket import WebSocket

PROTOCOL = "v1.channels.higgins"
_STDIN, _SIZE, _CLOSE = 0, 4, 255
_PIECE = 32 * 1024
_MOST_UNSENT = 256 * 1024
"""Bytes that wait for the server before no more is read from whoever types."""
PROXIED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_TOO_OFTEN = 3
"""Interrupts after which it is this program that ends."""


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over; None: it is not known how, or it goes on without us."""

    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Detached:
    """The keys for it were pressed: it goes on without us."""


Outcome = Ended | Detached


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How somebody sits at it."""

    stdin: bool
    tty: bool
    """What is at the other end is a terminal."""
    detach_keys: bytes = b""


class Console:
    """An open session; `hold` it until it is over."""

    def __init__(self, cloud: Cloud, url: str, manner: Manner) -> None:
        self._line = WebSocket.open(url, cloud.trust, PROTOCOL)
        self._manner = manner
        self._escape = terminal.Escape(manner.detach_keys if manner.tty and manner.stdin else b"")
        self._typed_by_hand = manner.stdin and manner.tty and sys.stdin.isatty()
        self._interrupts = 0
        self._wakes, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self.resize()

    def resize(self) -> None:
        """Tell the other end how large the terminal is, if both ends are one."""
        if self._manner.tty and (size := terminal.size()):
            width, height = size
            self._say(_SIZE, json.dumps({"width": width, "height": height}).encode())
            self._line.flush()

    def hold(self, proxy: Callable[[str], None] | None = None) -> Outcome:
        """Until it is over. `proxy` is given the names of signals that this program is sent.

        Raises Lost if the server goes, and what ended the session at the other end.
        """
        # With a terminal at both ends Ctrl-C is a key like any other.
        numbers = () if proxy is None or self._typed_by_hand else PROXIED
        raw = terminal.raw(sys.stdin.fileno()) if self._typed_by_hand else nullcontext()
        with raw, self._noted((*numbers, signal.SIGWINCH)):
            # What changed before anybody listened is told now.
            self.resize()
            try:
                return self._run(proxy)
            finally:
                self._line.close()

    def _run(self, proxy: Callable[[str], None] | None) -> Outcome:
        reads = [sys.stdin.fileno()] if self._manner.stdin else []
        while True:
            # Messages may have come together with the greeting.
            for message in self._line.read():
                if (outcome := _heard(message)) is not None:
                    return outcome
            if self._line.closed:
                return Ended(None)
            ready = self._wait(reads)
            if self._wakes in ready:
                self._signalled(os.read(self._wakes, 512), proxy)
            if reads and reads[0] in ready:
                typed = os.read(reads[0], _PIECE)
                if not typed:
                    reads.clear()
                    self._say(_CLOSE, bytes([_STDIN]))
                through, detached = self._escape.passed(typed)
                if through:
                    self._say(_STDIN, through)
                if detached:
                    return Detached()
            self._line.flush()

    def _wait(self, reads: Collection[int]) -> Collection[int]:
        """What can be read now; whoever types waits while the server does not take what was typed before."""
        wanted = [self._line.fileno(), self._wakes, *(reads if self._line.unsent < _MOST_UNSENT else ())]
        ready, _, _ = select.select(wanted, [self._line.fileno()] if self._line.unsent else [], [])
        return ready

    def _signalled(self, numbers: bytes, proxy: Callable[[str], None] | None) -> None:
        for number in numbers:
            if number == signal.SIGWINCH:
                self.resize()
                continue
            self._interrupts += number in (signal.SIGINT, signal.SIGTERM)
            if self._interrupts >= _TOO_OFTEN:
                raise SystemExit(128 + number)
            if proxy is not None:
                proxy(signal.Signals(number).name)

    def _say(self, channel: int, content: bytes) -> None:
        self._line.send(bytes([channel]) + content)

    @contextmanager
    def _noted(self, numbers: Collection[signal.Signals]) -> Iterator[None]:
        """Signals are only noted when they come: they may come in the middle of anything."""

        def note(number: int, _: FrameType | None) -> None:
            os.write(self._waker, bytes([number]))

        before = {number: signal.signal(number, note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _heard(message: bytes) -> Outcome | None:
    match message[0] if message else None:
        case 1:
            _write(1, message)
        case 2:
            _write(2, message)
        case 3:
            return _end(message[1:])
    return None


def _write(fd: int, message: bytes) -> None:
    """All of it, but for the channel. Where nobody reads any more, the program ends as any filter does."""
    left = memoryview(message)[1:]
    while left:
        left = left[os.write(fd, left) :]


def _end(told: bytes) -> Ended:
    match json.loads(told):
        case {"error": {"title": title}}:
            raise errors.Unavailable(str(title))
        case {"exit_code": int(code)}:
            return Ended(code)
        case _:
            return Ended(None)
