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
from higgins.service.policy import Policy
from higgins.store import networks
from higgins.store.database import Connection, Database

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
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """New networks get their subnets from the pool; None: there are no networks but those that runtimes have by themselves."""
        self._database = database
        self._policy = policy
        self._pool = pool
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

        `shared`: every project may use it; that takes an administrator. Raises Invalid for a subnet that a network cannot have, Conflict for one that
        overlaps another of the project's, and if none is left.
        """
        raise NotImplementedError

    async def page(self, caller: Caller, query: Query) -> Part[Network]:
        """Those that the caller can use; NotFound for an unknown marker. Sorted by SORT_KEYS of the model."""
        raise NotImplementedError

    async def find(self, caller: Caller, ref: str) -> Network:
        """Raises NotFound, code `network-not-found`, and Conflict for a name that several have."""
        raise NotImplementedError

    async def delete(self, caller: Caller, ref: str) -> None:
        """Raises Conflict while ports are on it."""
        raise NotImplementedError
