"""Whether what is booked on the hosts is what the capsules on them claim."""

import sqlite3
from pathlib import Path

from higgins.logic import documents
from higgins.model.capsule import Assignment, Resources


def booked_and_claimed(database: Path) -> dict[str, tuple[Resources, Resources]]:
    """By name of host: what the host's row says, and the sum of the assignments."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        claimed: dict[str, Resources] = {}
        for host_id, document in connection.execute(
            "SELECT host_id, assignment FROM capsules WHERE host_id IS NOT NULL"
        ):
            claim = documents.decode(document, Assignment).claim
            claimed[host_id] = claimed.get(host_id, Resources()) + claim
        rows = connection.execute("SELECT id, name, allocated_cpu, allocated_memory, allocated_disk FROM hosts")
        return {
            name: (
                Resources(cpu=round(cpu, 6), memory=memory, disk=disk),
                _rounded(claimed.get(host_id, Resources())),
            )
            for host_id, name, cpu, memory, disk in rows
        }
    finally:
        connection.close()


def _rounded(claim: Resources) -> Resources:
    return Resources(cpu=round(claim.cpu, 6), memory=claim.memory, disk=claim.disk)


def assert_no_claim_leaks(database: Path) -> None:
    """Raises AssertionError with the hosts on which the two differ."""
    leaks = {name: pair for name, pair in booked_and_claimed(database).items() if pair[0] != pair[1]}
    assert not leaks, leaks
