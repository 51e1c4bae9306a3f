"""Somebody at a shell with the `higgins` command: as a program among others, with pipes, exit statuses and signals."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.system.servers import ROOT, environment

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    status: int
    out: bytes
    err: str

    @property
    def said(self) -> str:
        return self.out.decode()


class Tenant:
    """Whoever the variables log in, with a home of their own, in which there is a `higgins` to call."""

    def __init__(self, home: Path, variables: Mapping[str, str]) -> None:
        self.home = home
        program = home / "bin" / "higgins"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m higgins.cli.main "$@"\n')
        program.chmod(0o755)
        self.environment = {
            **environment(),
            **variables,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def types(self, *words: str, said: bytes = b"") -> str:
        """What the command prints. An AssertionError if it fails."""
        ran = self.tries(*words, said=said)
        assert ran.status == 0, f"higgins {' '.join(words)}: {ran.said}{ran.err}"
        return ran.said

    def tries(self, *words: str, said: bytes = b"") -> Ran:
        """The same, however it ends."""
        ran = subprocess.run(
            ["higgins", *words],
            env=self.environment,
            input=said,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            cwd=self.home,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr.decode())

    def fails(self, *words: str, status: int = 1, said: bytes = b"") -> str:
        """Its complaint. An AssertionError if it does not end with that status."""
        ran = self.tries(*words, said=said)
        assert ran.status == status, f"higgins {' '.join(words)}: {ran}"
        assert "Traceback" not in ran.err
        return ran.err

    def sees(self, *words: str) -> Any:
        """The document that it prints with `-o json`."""
        return json.loads(self.types(*words, "-o", "json"))

    def interrupts(self, *words: str, after: bytes, number: int = signal.SIGINT) -> Ran:
        """A command that is sent a signal as soon as it has printed, or complained of, something like this."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                ["higgins", *words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.home,
            )
            deadline = time.monotonic() + PATIENCE
            while after not in _content(out) + _content(err):
                assert process.poll() is None, f"it ended: {_content(out)!r} {_content(err)!r}"
                assert time.monotonic() < deadline, f"waited in vain: {_content(out)!r} {_content(err)!r}"
                time.sleep(0.02)
            process.send_signal(number)
            status = process.wait(PATIENCE)
            return Ran(status, _content(out), _content(err).decode())


def _content(file: IO[bytes]) -> bytes:
    """All that was written to it so far, by whomever."""
    return os.pread(file.fileno(), 1 << 20, 0)
