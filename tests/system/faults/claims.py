"""Whether what is booked on the hosts, and of their ports, is what the capsules on them claim, and what counts towards quotas is what there is."""

import sqlite3
from collections import defaultdict
from pathlib import Path

from higgins.logic import documents
from higgins.logic.quota import counted
from higgins.logic.sealed import Sealed
from higgins.model.capsule import Assignment, Resources
from higgins.model.network import HostPort
from higgins.model.quota import Usage


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


def led_and_claimed(database: Path) -> dict[str, tuple[set[HostPort], set[HostPort]]]:
    """By id of host: the ports that the table says lead to a capsule, and those of the assignments."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        # One look, so that both are of the same moment.
        connection.execute("BEGIN")
        led: dict[str, set[HostPort]] = defaultdict(set)
        for host_id, protocol, number in connection.execute("SELECT host_id, protocol, number FROM host_ports"):
            led[host_id].add(HostPort(protocol, number))
        claimed: dict[str, set[HostPort]] = defaultdict(set)
        for host_id, document in connection.execute(
            "SELECT host_id, assignment FROM capsules WHERE host_id IS NOT NULL"
        ):
            published = documents.decode(document, Assignment).published
            claimed[host_id] |= {HostPort(one.protocol, one.host_port) for one in published}
        return {host_id: (led[host_id], claimed[host_id]) for host_id in {*led, *claimed}}
    finally:
        connection.close()


def used_and_counted(database: Path) -> dict[str, tuple[Usage, Usage]]:
    """By project: what its row says, and the sum of what its capsules count for."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        # One look, so that both are of the same moment.
        connection.execute("BEGIN")
        rows = connection.execute("SELECT project_id, used_containers, used_memory, used_disk, used_cpu FROM quotas")
        used = {
            project: Usage(containers=containers, memory=memory, disk=disk, microcores=cpu)
            for project, containers, memory, disk, cpu in rows
        }
        sums: dict[str, Usage] = {}
        for row in connection.execute(f"SELECT {_SEALED} FROM capsules"):
            capsule = Sealed._make((*row, None)).open()
            sums[capsule.project_id] = sums.get(capsule.project_id, Usage()) + counted(capsule)
        return {
            project: (used.get(project, Usage()), sums.get(project, Usage())) for project in used.keys() | sums.keys()
        }
    finally:
        connection.close()


_SEALED = ", ".join(name for name in Sealed._fields if name != "host")


def _rounded(claim: Resources) -> Resources:
    return Resources(cpu=round(claim.cpu, 6), memory=claim.memory, disk=claim.disk)


def assert_no_claim_leaks(database: Path) -> None:
    """Raises AssertionError with the hosts on which, or the projects in which, what is booked and what is claimed differ."""
    leaks = {name: pair for name, pair in booked_and_claimed(database).items() if pair[0] != pair[1]}
    assert not leaks, leaks
    astray = {host_id: pair for host_id, pair in led_and_claimed(database).items() if pair[0] != pair[1]}
    assert not astray, astray
    miscounted = {project: pair for project, pair in used_and_counted(database).items() if pair[0] != pair[1]}
    assert not miscounted, miscounted
