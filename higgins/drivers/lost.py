"""What an engine cannot tell of the processes in its containers: what it has lost sight of, whose caller has left, what they send."""

import logging
import os
import re
import signal
from pathlib import Path

log = logging.getLogger(__name__)

SIGNS = re.compile(
    r"id already in use|task \w+: already exists|container with (given )?id (already )?exists", re.IGNORECASE
)
"""How an engine that has come back complains of what it does not know to be running."""


def end(engine_id: str) -> None:
    """Kill every process in the control groups of the engine's container with this full id.

    The engine, having died between starting the container and writing that down, cannot do it: to its mind there is none, and a container
    that is made anew would run beside them. Where it runs on another machine none are found.
    """
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if _belongs(process, engine_id):
                os.kill(int(process.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has just ended.
        except PermissionError:
            log.warning(
                "process %s of container %s runs on without Docker's knowledge, and this user may not end it: do so as root",
                *(process.name, engine_id),
            )


def hang_up(engine_id: str, number: int) -> bool:
    """Tell a command in the container that its caller is gone; False if it cannot be told, being on another machine or not ours.

    Its process leads a group and a session: what it has started without a terminal is in that group, and with its end the kernel tells all
    others in the foreground of a terminal.
    """
    process = Path("/proc") / str(number)
    try:
        if not _belongs(process, engine_id):
            return False
        os.killpg(number, signal.SIGHUP)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return True


def here(engine_id: str, number: int) -> int | None:
    """The number of the container's process, if it is one of this machine's: another's may have any number."""
    process = Path("/proc") / str(number)
    try:
        return number if number and _belongs(process, engine_id) else None
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def traffic(engine_id: str, number: int) -> tuple[int, int]:
    """The bytes that the network of a container's process has received and sent, but for what it sent to itself."""
    process = Path("/proc") / str(number)
    try:
        if not _belongs(process, engine_id):
            return 0, 0
        counted = [line.replace(":", " ").split() for line in (process / "net" / "dev").read_text().splitlines()[2:]]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0, 0
    links = [each for each in counted if each[0] != "lo"]
    return sum(int(each[1]) for each in links), sum(int(each[9]) for each in links)


def _belongs(process: Path, engine_id: str) -> bool:
    return engine_id in (process / "cgroup").read_text()
