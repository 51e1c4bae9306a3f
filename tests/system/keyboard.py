"""Somebody at a terminal: a command under a pseudo-terminal, typed to and read from."""

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Self

_PATIENCE = 60.0


class Keyboard:
    """A command that believes a person is there. What it prints is kept in `screen`, as bytes."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, columns: int = 80, rows: int = 24
    ) -> None:
        self.screen = b""
        self._seen = 0
        ours, theirs = pty.openpty()
        self._end = ours
        self._size(columns, rows)
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": "xterm"},
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._end)

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Somebody pulls at the corner of the window."""
        self._size(columns, rows)
        # It is nobody's controlling terminal, so nobody else tells.
        self.process.send_signal(signal.SIGWINCH)

    def reads(self, pattern: str) -> str:
        """Wait until it prints something like this, after what was read before. An AssertionError if it does not."""
        deadline = time.monotonic() + _PATIENCE
        wanted = re.compile(pattern.encode(), re.DOTALL)
        while (found := wanted.search(self.screen, self._seen)) is None:
            assert self._more(deadline), (
                f"waited for {pattern!r}, read {self.screen[self._seen :].decode(errors='replace')!r}"
            )
        self._seen = found.end()
        return found[0].decode(errors="replace")

    def ends(self) -> int:
        """Its exit status. An AssertionError if it does not end."""
        deadline = time.monotonic() + _PATIENCE
        while self._more(deadline):
            pass
        try:
            return self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end; read {self.screen[-2000:].decode(errors='replace')!r}") from None

    def _more(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._end], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            more = os.read(self._end, 65536)
        except OSError as error:
            # The other end is closed, says Linux.
            if error.errno != errno.EIO:
                raise
            return False
        self.screen += more
        return bool(more)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
