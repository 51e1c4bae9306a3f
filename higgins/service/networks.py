"""The verbs of a network, and what becomes of the networks that a caller names for a container."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from higgins import errors
from higgins.logic import subnets
from higgins.model.identity import Caller
from higgins.model.ids import NetworkId, PortId, ProjectId
from higgins.model.network import Network, NetworkWish
from higgins.model.query import Part, Query
from higgins.model.quota import Allowance, Belongings
from higgins.service.policy import Policy
from higgins.store import belongings, networks
from higgins.store.database import Connection, Database

MOST = 16
"""Networks that one container can be on."""
DEFAULT = "default"
"""The name of the network that a project gets which has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkNamed:
    """What a caller says about one attachment; nothing at all: any network will do."""

    network: str | None = None
    """Its id or name."""
    port: str | None = None
    """One that exists: there are none by themselves here."""
    address: str | None = None
    """On that network; None: any."""


class Networks:
    """What a caller can do with networks.

    Every verb sees the networks of the caller's project and those that every project may use, and checks a policy rule of its own. `ref` is an id
    or a name; a name that several have is a Conflict. Admins find those of every project.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        pool: IPv4Network | None = None,
        allowance: Allowance | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """New networks get their subnets from the pool; None: there are no networks but those that runtimes have by themselves."""
        self._database = database
        self._policy = policy
        self._pool = pool
        self._allowance = allowance or Allowance()
        self._clock = clock

    async def create(
        self,
        caller: Caller,
        *,
        name: str,
        subnet: str | None = None,
        shared: bool = False,
        network_id: NetworkId | None = None,
    ) -> Network:
        """With the next free subnet, if none is named. The same request, sent again with the same `network_id`, gives what it made the first time.

        `shared`: every project may use it; that takes an administrator, and counts for none of them. Raises Invalid for a subnet that a network cannot
        have, or that is too large for one project, Conflict for one that overlaps another of the project's, and if none is left,
        Forbidden, code `over-quota`, if the project has as many as it may.
        """
        self._allow(caller, "network:create" if shared else "network:create:own")
        project = None if shared else caller.project_id
        wanted = subnets.parsed(subnet) if subnet is not None else None
        pool, now = offered(self._pool), self._clock()
        if wanted is not None and not shared:
            subnets.check_own(wanted, pool)

        def work(db: Connection) -> Network:
            made = networks.get(db, network_id) if network_id is not None else None
            if made is None:
                if project is not None:
                    belongings.check(db, project, Belongings(networks=1), self._allowance)
                made = _new(db, project, name, wanted, pool, now, network_id)
                networks.insert(db, made)
            return made

        return await self._database.write(work)

    async def page(self, caller: Caller, query: Query) -> Part[Network]:
        """Those that the caller can use; NotFound for an unknown marker. Sorted by SORT_KEYS of the model."""
        self._allow(caller, "network:get_all")
        if query.all_projects:
            self._allow(caller, "network:get_all_all_projects")
        project = None if query.all_projects else caller.project_id
        return await self._database.read(lambda db: networks.page(db, project, query))

    async def find(self, caller: Caller, ref: str) -> Network:
        """Raises NotFound, code `network-not-found`, and Conflict for a name that several have."""
        return await self._database.read(lambda db: self._found(db, caller, ref, "network:get_one"))

    async def registered(self, caller: Caller, ref: str, *, rule: str) -> Network:
        """For administrators of Zun, who make a network known to hosts and have them forget it, each with a `rule`: it is found as always, and nothing
        need be done."""
        self._allow(caller, rule)
        return await self.find(caller, ref)

    async def delete(self, caller: Caller, ref: str) -> None:
        """Raises Conflict while ports are on it, or about to be. One that every project may use takes an administrator."""

        def work(db: Connection) -> None:
            network = self._found(db, caller, ref, "network:delete:own")
            if network.project_id is None:
                self._allow(caller, "network:delete")
            networks.delete(db, network.id)

        await self._database.write(work)

    def _found(self, db: Connection, caller: Caller, ref: str, rule: str) -> Network:
        found = networks.find(db, caller.project_id, ref)
        if not found and self._sees_all(caller):
            found = networks.find(db, None, ref)
        if not found:
            # One of another project is answered in the same words as one that does not exist.
            self._allow(caller, rule)
        network = _only(found, ref)
        self._policy.check(caller, rule, project_id=network.project_id or caller.project_id, user_id=caller.user_id)
        return network

    def _allow(self, caller: Caller, rule: str) -> None:
        self._policy.check(caller, rule, project_id=caller.project_id, user_id=caller.user_id)

    def _sees_all(self, caller: Caller) -> bool:
        rule = "network:get_all_all_projects"
        return self._policy.allows(caller, rule, project_id=caller.project_id, user_id=caller.user_id)


def offered(pool: IPv4Network | None) -> IPv4Network:
    """Raises Invalid where hosts make no networks."""
    if pool is None:
        raise errors.Invalid(
            "This deployment offers no networks but those that its hosts' runtimes have by themselves; leave the networks out.",
            code="schema-validation-error",
        )
    return pool


def wishes(
    db: Connection,
    project: ProjectId,
    named: Sequence[NetworkNamed],
    pool: IPv4Network,
    now: float,
    *,
    dry: bool = False,
) -> tuple[NetworkWish, ...]:
    """What a container of the project asks for whose owner said this; where that is nothing, the project's foremost network, which is made if there is
    none. The same network named twice is one. With `dry` nothing is written.

    Raises NotFound for an unknown network and for every port, Conflict for a name that several networks have, an address that is taken, a network
    that is full and where a network cannot be made, Invalid for an address that the network has not, and for two different ones on the same network.
    """
    found: dict[NetworkId, NetworkWish] = {}
    for one in named or (NetworkNamed(),):
        wished = wish(db, project, one, pool, now, dry=dry)
        first = found.setdefault(wished.network, wished)
        if wished.address not in (None, first.address):
            raise errors.Invalid(
                f"Invalid input for field 'nets'. Network {one.network or wished.network} is named twice, with different addresses: a container has one each."
            )
    return tuple(found.values())


def wish(
    db: Connection, project: ProjectId, named: NetworkNamed, pool: IPv4Network, now: float, *, dry: bool = False
) -> NetworkWish:
    """The same of one."""
    if named.port is not None:
        raise errors.NotFound(f"Port {named.port} could not be found.", code="port-not-found")
    if named.network is not None:
        network = known(db, project, named.network)
    else:
        network = _foremost(db, project, pool, now, dry=dry)
    _check_room(db, network, named.address)
    return NetworkWish(port=PortId(str(uuid.uuid4())), network=network.id, address=named.address)


def known(db: Connection, project: ProjectId, ref: str) -> Network:
    """The one that an id or a name means in a project. Raises NotFound for none, Conflict for several."""
    return _only(networks.find(db, project, ref), ref)


def _only(found: Sequence[Network], ref: str) -> Network:
    if not found:
        raise errors.NotFound(f"Network {ref} could not be found.", code="network-not-found")
    if len(found) > 1:
        raise errors.Conflict("Multiple networks exist with same name. Please use the network uuid instead.")
    return found[0]


def _foremost(db: Connection, project: ProjectId, pool: IPv4Network, now: float, *, dry: bool) -> Network:
    found = networks.foremost(db, project)
    if found is not None:
        return found
    # However few it may have: a container that names none has to be on one, and a project that has some gets no other this way.
    made = _new(db, project, DEFAULT, None, pool, now)
    if not dry:
        networks.insert(db, made)
    return made


def _new(
    db: Connection,
    project: ProjectId | None,
    name: str,
    wanted: IPv4Network | None,
    pool: IPv4Network,
    now: float,
    network_id: NetworkId | None = None,
) -> Network:
    """Not written down yet."""
    if wanted is None:
        # One that nobody has, while there is any; whoever takes the whole pool takes it from no other project.
        found = (subnets.free(pool, networks.subnets_of(db, whose)) for whose in (None, project))
        subnet = next(filter(None, found), None)
        if subnet is None:
            raise errors.Conflict(
                f"No subnet of {pool} is left for another network: name a subnet for it, or delete a network that nobody needs."
            )
    else:
        # Those of other projects may well be the same: nobody is on both. What every project may use overlaps none.
        subnet = wanted
        if any(wanted.overlaps(IPv4Network(each)) for each in networks.subnets_of(db, project)):
            raise errors.Conflict(f"The subnet {wanted} overlaps that of another network; choose another, or none.")
    return Network(
        id=network_id or NetworkId(str(uuid.uuid4())),
        project_id=project,
        name=name,
        subnet=str(subnet),
        gateway=str(subnets.gateway(subnet)),
        created_at=now,
    )


def _check_room(db: Connection, network: Network, address: str | None) -> None:
    subnet = IPv4Network(network.subnet)
    if address is None:
        if networks.occupied(db, network.id) >= len(subnets.usable(subnet)):
            raise errors.Conflict(f"All addresses of the network {network.name} are in use; name another network.")
        return
    subnets.wanted(subnet, address)
    if networks.holder(db, network.id, address) is not None:
        raise errors.Conflict(f"The address {address} is in use on the network {network.name}.")
