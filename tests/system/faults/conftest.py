"""What the tests of faults share: the seed, and a second engine that may be killed."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.engine import BUSYBOX, import_busybox
from tests.system.faults.engine_of_its_own import OwnEngine


@pytest.fixture
def seed() -> int:
    """HIGGINS_CHAOS_SEED repeats the requests and the pauses of a run; what falls together is up to the machine."""
    chosen = int(os.environ.get("HIGGINS_CHAOS_SEED") or secrets.randbelow(10**6))
    print(f"HIGGINS_CHAOS_SEED={chosen}")
    return chosen


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[OwnEngine]:
    """An engine that answers and has the image BUSYBOX; nothing is left of it afterwards."""
    engine = OwnEngine(tmp_path)
    try:
        engine.start()
        asyncio.run(import_busybox(BUSYBOX, url=engine.url))
        yield engine
    finally:
        engine.remove()
