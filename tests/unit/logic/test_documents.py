"""Documents are read by many threads at the same time."""

import dataclasses
import subprocess
import sys
import threading
from pathlib import Path

from higgins.logic import documents

_SCRIPT = "from tests.unit.logic.test_documents import meet; meet()"


def test_threads_that_meet_a_kind_for_the_first_time_at_once_all_read_it() -> None:
    # In a process of its own: what goes wrong here ends the process.
    ran = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _SCRIPT],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, f"it ended with {ran.returncode}:\n{ran.stderr[-2000:]}"


def meet(kinds: int = 30, threads: int = 8) -> None:
    """Threads that change as often as they can read what none of them has read before."""
    sys.setswitchinterval(1e-6)
    for number in range(kinds):
        inner = [dataclasses.make_dataclass(f"Inner{number}x{each}", [("a", int, 0)], slots=True) for each in range(8)]
        kind = dataclasses.make_dataclass(f"Outer{number}", [(each.__name__, each) for each in inner], slots=True)
        document = documents.encode({each.__name__: {"a": 7} for each in inner})
        wanted = kind(*(each(7) for each in inner))
        together = threading.Barrier(threads)
        wrong: list[object] = []

        def read(
            kind: type = kind,
            document: bytes = document,
            wanted: object = wanted,
            together: threading.Barrier = together,
            wrong: list[object] = wrong,
        ) -> None:
            together.wait()
            found: object = documents.decode(document, kind)
            if found != wanted:
                wrong.append(found)

        readers = [threading.Thread(target=read) for _ in range(threads)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert not wrong, wrong
