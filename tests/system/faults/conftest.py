"""What the tests of faults share: the seed, and a second engine that may be killed."""

import asyncio
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.engine import BUSYBOX, import_busybox, missing
from tests.system.faults.engine_of_its_own import OwnEngine


@pytest.fixture
def seed() -> int:
    """HIGGINS_CHAOS_SEED repeats the requests and the pauses of a run; what falls together is up to the machine."""
    chosen = int(os.environ.get("HIGGINS_CHAOS_SEED") or secrets.randbelow(10**6))
    print(f"HIGGINS_CHAOS_SEED={chosen}")
    return chosen


@pytest.fixture
def times() -> int:
    """HIGGINS_CHAOS_TIMES: how often everything happens in one test; once is the short form."""
    return int(os.environ.get("HIGGINS_CHAOS_TIMES") or 1)


@pytest.fixture
def absent_engine(tmp_path: Path) -> Iterator[OwnEngine]:
    """An engine that has not been started; nothing is left of it afterwards."""
    engine = OwnEngine(tmp_path)
    try:
        yield engine
    finally:
        engine.remove()


@pytest.fixture
def own_engine(absent_engine: OwnEngine) -> OwnEngine:
    """One that answers, and has the image BUSYBOX."""
    absent_engine.start()
    asyncio.run(import_busybox(BUSYBOX, url=absent_engine.url))
    return absent_engine


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a disk of three MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        missing(f"A small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        # A server that had its state there has taken it along.
        if place.is_mount():
            subprocess.run(["umount", "--lazy", str(place)], check=True)
