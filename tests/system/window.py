"""A terminal window with a shell in it, as somebody sits before it: tmux draws what would be seen."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from tests.system.engine import missing

PATIENCE = 60.0
_LOOKS = 0.03
_PROMPT = re.compile(r"\[(\d+)\]>")
"""It tells the exit status of the command before."""


class Window:
    """Type into it, and see what stands on it."""

    def __init__(self, environment: Mapping[str, str], *, columns: int = 80, rows: int = 24) -> None:
        if shutil.which("tmux") is None:
            missing("There is no tmux here; install Debian's package of that name.")
        self._place = tempfile.TemporaryDirectory()
        self._tmux = ["tmux", "-S", f"{self._place.name}/tmux", "-f", "/dev/null"]
        self._environment = {**environment, "PS1": "[$?]> ", "LANG": "C.UTF-8"}
        self._size = (columns, rows)

    def __enter__(self) -> Self:
        columns, rows = self._size
        self._call("new-session", "-d", "-x", str(columns), "-y", str(rows), "bash", "--noprofile", "--norc")
        self.ends()
        return self

    def __exit__(self, *_: object) -> None:
        self._call("kill-server")
        self._place.cleanup()

    def types(self, line: str) -> None:
        """A command on an empty window, and Enter."""
        self.presses("C-l")
        self._until(lambda: len(self.lines) == 1, "an empty window")
        self.says(line)

    def says(self, line: str) -> None:
        """A line to whoever reads now, and Enter."""
        before = self.lines
        self._call("send-keys", "-l", line)
        self._until(lambda: self.lines != before, "what was typed")
        self.presses("Enter")

    def presses(self, *keys: str) -> None:
        """Keys by tmux's names for them, such as C-c."""
        self._call("send-keys", *keys)

    def resizes(self, columns: int, rows: int) -> None:
        """Somebody pulls at the corner of the window."""
        self._call("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def lines(self) -> list[str]:
        """What stands there, without what is empty below."""
        return self._call("capture-pane", "-p").rstrip("\n").split("\n")

    @property
    def coloured(self) -> str:
        """The same, with what it takes to colour it."""
        return self._call("capture-pane", "-p", "-e")

    def shows(self, pattern: str) -> str:
        """Wait until something like this stands there."""
        wanted = re.compile(pattern, re.MULTILINE)
        self._until(lambda: wanted.search("\n".join(self.lines)) is not None, repr(pattern))
        return "\n".join(self.lines)

    def ends(self) -> int:
        """Wait until the shell asks for the next command. The exit status of the last."""
        self._until(lambda: _PROMPT.fullmatch(self.lines[-1]) is not None, "the end of the command")
        found = _PROMPT.fullmatch(self.lines[-1])
        assert found is not None
        return int(found[1])

    def settings(self) -> str:
        """How the terminal is set, as `stty` tells it."""
        self.types("stty -g")
        assert self.ends() == 0
        return self.lines[1]

    def running(self) -> int:
        """The process id of the command that runs."""
        shell = self._call("list-panes", "-F", "#{pane_pid}").strip()
        (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(child)

    def _until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"waited in vain for {what}; there stands:\n" + "\n".join(self.lines)
            time.sleep(_LOOKS)

    def _call(self, *words: str) -> str:
        ran = subprocess.run(
            [*self._tmux, *words], env=self._environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout
