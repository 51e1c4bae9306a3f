"""Asking for a container, whose networks and security groups are called as people call them."""

from collections.abc import Mapping
from typing import Any

from higgins import errors
from higgins.cli.tenant import names
from higgins.client.cloud import Cloud, Document

_DOCKERS = {
    "host": "No container has its host's network; -p publishes its ports there.",
    "none": "Every container begins on a network; `higgins network detach` takes it off. To let nothing in: --security-group, with one that allows nothing.",
    "bridge": "Leave --network out: then it is on the project's own.",
    "container": "Containers that share an address are a capsule: higgins capsule --help",
}
"""What stands behind --network with docker and is no network."""


def asked(cloud: Cloud, query: Mapping[str, Any], wanted: Mapping[str, Any]) -> Document:
    """The answer to the request; where it names a network or a group by the beginning of its id, with that.

    Raises NotFound for what nobody knows, with names that are near, and Conflict, with a list, for what several are called.
    """
    try:
        return _post(cloud, query, wanted)
    except (errors.NotFound, errors.Conflict, errors.Invalid) as refusal:
        known = _known(cloud, wanted, refusal)
        if known == wanted:
            raise
        return _post(cloud, query, known)


def _post(cloud: Cloud, query: Mapping[str, Any], wanted: Mapping[str, Any]) -> Document:
    made: Document = cloud.post("/containers", query, wanted)
    return made


def _known(cloud: Cloud, wanted: Mapping[str, Any], refusal: errors.Failure) -> Mapping[str, Any]:
    """The request with ids instead of what the refusal is about."""
    if refusal.name == "container.security-group-not-found":
        groups = [names.one(cloud, each, "security_groups")["uuid"] for each in wanted["security_groups"]]
        return {**wanted, "security_groups": groups}
    if refusal.name == "container.network-not-found" or refusal.message.startswith("Multiple networks exist"):
        return {**wanted, "nets": [{**one, "network": _network(cloud, one["network"])} for one in wanted["nets"]]}
    return wanted


def _network(cloud: Cloud, given: str) -> str:
    try:
        return str(names.one(cloud, given, "networks")["uuid"])
    except errors.NotFound as missing:
        if remedy := _DOCKERS.get(given.partition(":")[0]):
            failure = errors.NotFound(missing.message)
            failure.add_note(remedy)
            raise failure from missing
        raise
