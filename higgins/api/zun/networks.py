"""Networks, and who is on them: what is asked, what is shown, and the verbs in between."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from higgins.api.zun import form, reach, translate, values, views
from higgins.api.zun.form import Form
from higgins.api.zun.forms import Name, Several
from higgins.api.zun.lists import Paging, following, query
from higgins.api.zun.microversion import OURS, Version
from higgins.api.zun.values import said
from higgins.api.zun.verbs import EMPTY, NULL, Answer, Ask, Door
from higgins.api.zun.views import Link
from higgins.model import network as model
from higgins.model.ids import NetworkId, made_by

_encode = msgspec.json.Encoder().encode

# What is asked.


class CreateNetwork(Struct, forbid_unknown_fields=True, kw_only=True):
    """A network to be made; up to version 1.40, one to be made known that there is."""

    name: Annotated[
        Name | None, said("Its name in the project. Up to version 1.40 it has to be there and changes nothing.")
    ]
    subnet: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        said("Its addresses, such as 10.88.7.0/24; nothing: the next /24 that is free."),
    ] = None
    shared: Annotated[values.Truth | None, said("Whether every project may use it. Admins only.")] = None
    neutron_net_id: Annotated[
        Annotated[str, Meta(min_length=2, max_length=255)] | None, said("Up to version 1.40: the id of the network.")
    ] = None


class ListNetworks(Paging, forbid_unknown_fields=True, kw_only=True):
    """Which networks, in which order, and which page of them."""

    name: Annotated[Several | None, said("Only those of this name. Repeated: of any of them; so are all filters.")] = (
        None
    )
    project_id: Annotated[Several | None, said("Only those of this project.")] = None
    all_projects: Annotated[values.AnyTruth | None, said("Those of all projects. Admins only.")] = None


def _of_its_time(version: Version, params: CreateNetwork) -> CreateNetwork:
    """Zun's networks are those of another service: one is named by its id there, and nothing else is said of it."""
    if version < OURS:
        if params.neutron_net_id is None:
            raise form.missing("neutron_net_id")
    elif params.neutron_net_id is not None:
        raise form.unexpected(["neutron_net_id"], f"; from version {OURS} on networks are made here")
    elif params.name is None:
        raise form.missing("name")
    return params


CREATE: Form[CreateNetwork] = Form(
    params=CreateNetwork, since={"subnet": OURS, "shared": OURS}, query=(), steps=(_of_its_time,)
)
LIST: Form[ListNetworks] = Form(params=ListNetworks)

# What is shown.


class Network(Struct, kw_only=True):
    """A network."""

    uuid: str
    links: list[Link] | UnsetType = UNSET
    name: str
    project_id: Annotated[str | None, said("Whose it is; null: every project may use it.")]
    subnet: Annotated[str | UnsetType, said("From version 1.41 on. Its addresses.")] = UNSET
    gateway: Annotated[
        str | UnsetType, said("From version 1.41 on. The one of them through which the world is reached.")
    ] = UNSET
    created_at: Annotated[str | UnsetType, said("From version 1.41 on.")] = UNSET
    user_id: Annotated[str | UnsetType, said("Up to version 1.40: who asks.")] = UNSET
    network_id: Annotated[str | UnsetType, said("Up to version 1.40: its id once more.")] = UNSET
    neutron_net_id: Annotated[str | UnsetType, said("Up to version 1.40: its id once more.")] = UNSET


class NetworkList(Struct):
    """A page of networks."""

    networks: list[Network]
    next: str | None


class FixedAddress(Struct, kw_only=True):
    """One address of a port."""

    subnet_id: str
    version: int
    ip_address: str


class Attached(Struct, kw_only=True):
    """A network that a container is on: one for each port, or, up to version 1.17, for each address."""

    net_id: str
    port_id: str
    fixed_ips: Annotated[list[FixedAddress] | UnsetType, said("From version 1.18 on.")] = UNSET
    subnet_id: Annotated[str | UnsetType, said("Up to version 1.17.")] = UNSET
    version: Annotated[int | UnsetType, said("Up to version 1.17.")] = UNSET
    ip_address: Annotated[str | UnsetType, said("Up to version 1.17.")] = UNSET


class AttachedList(Struct):
    """The networks that a container is on."""

    networks: list[Attached]


_BY_PORT = Version(1, 18)


def view(network: model.Network, address: str | None = None) -> Network:
    """One network, from version 1.41 on; `address` is what links begin with, None for none of them."""
    shown = Network(
        uuid=network.id,
        name=network.name,
        project_id=network.project_id,
        subnet=network.subnet,
        gateway=network.gateway,
        created_at=views.moment(network.created_at),
    )
    if address is not None:
        shown.links = [
            Link(f"{address}/v1/networks/{network.id}", "self"),
            Link(f"{address}/networks/{network.id}", "bookmark"),
        ]
    return shown


def attached(ports: Sequence[model.Port], version: Version) -> AttachedList:
    """What a container is on, in the form that this version has for it."""
    rows = []
    for port in ports:
        fixed = [
            FixedAddress(subnet_id=port.network_id, version=6 if ":" in one else 4, ip_address=one)
            for one in port.addresses
        ]
        if version >= _BY_PORT:
            rows.append(Attached(net_id=port.network_id, port_id=port.id, fixed_ips=fixed))
            continue
        rows += [
            Attached(
                net_id=port.network_id,
                port_id=port.id,
                subnet_id=one.subnet_id,
                version=one.version,
                ip_address=one.ip_address,
            )
            for one in fixed
        ]
    return AttachedList(rows)


# The verbs.


async def create(door: Door, ask: Ask[CreateNetwork]) -> Answer:
    """Make a network; up to version 1.40, nothing but ask for one that there is, as hosts make theirs by themselves."""
    asked, networks = ask.params, door.services.networks
    if asked.neutron_net_id is not None:
        found = await networks.registered(ask.caller, asked.neutron_net_id, rule="network:create")
        shown = Network(
            uuid=found.id,
            name=found.id,
            project_id=found.project_id,
            user_id=ask.caller.user_id,
            network_id=found.id,
            neutron_net_id=found.id,
        )
        return Answer(_encode(shown), _location(ask, found))
    made = await networks.create(
        ask.caller,
        name=asked.name or "",
        subnet=asked.subnet,
        shared=bool(asked.shared),
        network_id=NetworkId(made_by(ask.request)),
    )
    return Answer(_encode(view(made, ask.address)), _location(ask, made))


def _location(ask: Ask[Any], network: model.Network) -> Mapping[str, str]:
    return {"Location": f"{ask.address}/v1/networks/{network.id}"}


async def list_(door: Door, ask: Ask[ListNetworks]) -> Answer:
    """The networks that the caller's project can use."""
    asked = ask.params
    filters = {name: getattr(asked, name) for name in model.FILTERS}
    wanted = query(asked, door.max_limit, model.SORT_KEYS, filters, all_projects=bool(asked.all_projects))
    part = await door.services.networks.page(ask.caller, wanted)
    return Answer(_encode(NetworkList([view(one) for one in part.items], following(ask, "networks", wanted, part))))


async def show(door: Door, ask: Ask[Any]) -> Answer:
    """One network."""
    return Answer(_encode(view(await door.services.networks.find(ask.caller, ask.path[0]), ask.address)))


async def delete(door: Door, ask: Ask[Any]) -> Answer:
    """Remove a network that nobody is on; up to version 1.40, nothing, as no host keeps one that nobody is on."""
    if ask.version < OURS:
        await door.services.networks.registered(ask.caller, ask.path[0], rule="network:delete")
    else:
        await door.services.networks.delete(ask.caller, ask.path[0])
    return EMPTY


async def attach(door: Door, ask: Ask[reach.AttachNetwork]) -> Answer:
    """Have a container on one more network, whether or not it runs."""
    asked = ask.params
    named = translate.named(asked.network, asked.port, asked.fixed_ip)
    await door.services.containers.attach_network(ask.caller, ask.request, ask.path[0], named)
    return NULL


async def detach(door: Door, ask: Ask[reach.DetachNetwork]) -> Answer:
    """Take a container off a network, whether or not it runs."""
    which = ask.params.network or ask.params.port or ""
    await door.services.containers.detach_network(ask.caller, ask.request, ask.path[0], which)
    return NULL


async def attached_to(door: Door, ask: Ask[Any]) -> Answer:
    """The networks that a container is on."""
    ports = await door.services.containers.networks_of(ask.caller, ask.path[0])
    return Answer(_encode(attached(ports, ask.version)))
