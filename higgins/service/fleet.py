"""What callers see of the hosts, and what they say about them: the operator's verbs behind policy."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from higgins import errors
from higgins.model.host import Host
from higgins.model.identity import Caller
from higgins.model.ids import HostId
from higgins.service.hosts import Hosts
from higgins.service.policy import Policy
from higgins.store import hosts
from higgins.store.database import Connection, Database

BINARY = "zun-compute"
"""By this name the Containers API knows the part of the service that runs on a host."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the hosts that can take something new have between them, without saying which has what."""

    runtimes: tuple[str, ...]
    capabilities: tuple[str, ...]
    architectures: tuple[str, ...]
    default_runtime: str | None
    """What a container gets that asks for none; None where that depends on its host."""


class Fleet:
    """The hosts, for callers: each verb has a policy rule, and raises Forbidden where that keeps it from the caller."""

    def __init__(self, database: Database, policy: Policy, hosts: Hosts) -> None:
        self._database = database
        self._policy = policy
        self._hosts = hosts

    async def services(self, caller: Caller) -> Sequence[Host]:
        """Every host as a service, by name."""
        return await self._read(caller, "zun-service:get_all", hosts.every)

    async def enable(self, caller: Caller, name: str, binary: str) -> Host:
        """It takes new containers. This and the next three raise NotFound (code `zun-service-not-found`) for a service that is not there."""
        await self._service(caller, "zun-service:enable", name, binary)
        return await self._hosts.set_enabled(name, enabled=True)

    async def disable(self, caller: Caller, name: str, binary: str, reason: str | None) -> Host:
        """It takes nothing new; what it has stays."""
        await self._service(caller, "zun-service:disable", name, binary)
        return await self._hosts.set_enabled(name, enabled=False, reason=reason)

    async def force_down(self, caller: Caller, name: str, binary: str, *, forced: bool) -> Host:
        """It counts as down at once, until this is taken back."""
        await self._service(caller, "zun-service:force_down", name, binary)
        return await self._hosts.set_forced_down(name, forced=forced)

    async def forget(self, caller: Caller, name: str, binary: str) -> None:
        """It is no host any more. Raises Conflict while containers are assigned to it."""
        await self._service(caller, "zun-service:delete", name, binary)
        await self._hosts.remove(name)

    async def hosts(self, caller: Caller) -> Sequence[Host]:
        """Every host, by name."""
        return await self._read(caller, "host:get_all", hosts.every)

    async def host(self, caller: Caller, ref: str) -> Host:
        """The one with this id or name. Raises NotFound (code `compute-node-not-found`)."""
        found = await self._read(caller, "host:get", lambda db: hosts.get(db, HostId(ref)) or hosts.named(db, ref))
        if found is None:
            raise errors.NotFound(f"Compute node {ref} could not be found.", code="compute-node-not-found")
        return found

    async def zones(self, caller: Caller) -> Sequence[str]:
        """The availability zones of all hosts, by name."""
        return await self._read(caller, "availability_zones:get_all", hosts.zones)

    async def offer(self, caller: Caller) -> Offer:
        """What can be asked of the hosts that are up and enabled."""
        every = await self._read(caller, "capabilities:get_all", hosts.every)
        there = [one.inventory for one in every if one.inventory is not None and one.enabled and not one.down]
        usual = {one.default_handler for one in there}
        return Offer(
            runtimes=_union(one.handlers for one in there),
            capabilities=_union(one.capabilities for one in there),
            architectures=_union((one.architecture,) for one in there if one.architecture),
            default_runtime=usual.pop() if len(usual) == 1 else None,
        )

    async def _service(self, caller: Caller, rule: str, name: str, binary: str) -> None:
        found = await self._read(caller, rule, lambda db: hosts.named(db, name))
        if found is None or binary != BINARY:
            raise errors.NotFound(
                f"Zun service {binary} on host {name} could not be found.", code="zun-service-not-found"
            )

    async def _read(self, caller: Caller, rule: str, read: Callable[[Connection], R]) -> R:
        self._allow(caller, rule)
        return await self._database.read(read)

    def _allow(self, caller: Caller, rule: str) -> None:
        # Hosts belong to no project: as for everything of that kind, the target is the caller.
        self._policy.check(caller, rule, project_id=caller.project_id, user_id=caller.user_id)


def _union(named: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in named for name in names}))
