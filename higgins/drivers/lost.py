"""Processes that an engine has lost sight of, having died between starting a container and writing that down."""

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

    The engine cannot do it: to its mind there is none, and a container that is made anew would run beside them. Where it runs on another machine
    none are found.
    """
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if engine_id in (process / "cgroup").read_text():
                os.kill(int(process.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has just ended.
        except PermissionError:
            log.warning(
                "process %s of container %s runs on without Docker's knowledge, and this user may not end it: do so as root",
                *(process.name, engine_id),
            )
