"""`higgins network`, and the networks that `run` and `create` are told of."""

import sys
from collections.abc import Mapping, Sequence

import click

from higgins import errors
from higgins.cli import table
from higgins.cli.tenant import completion, examples, habits, names, output, session, several, templates, waiting
from higgins.client.cloud import Cloud, Document, path

_NOUN = "networks"
_TITLES = ("name", "subnet", "gateway", "shared", "id")
_ADDRESSES = "of the --subnet the first is the gateway's, and containers get the others"
_address = click.option("--ip", "address", metavar="ADDRESS", help="Its address there; any that is free by default.")
_container = click.argument("container", shell_complete=completion.containers)
_network = click.argument("network", shell_complete=completion.networks)

OPTIONS = (
    click.option(
        "--network", "--net", "networks", multiple=True, metavar="NETWORK", shell_complete=completion.networks,
        help="The network that it is on; several, if it is repeated. That of the project by default.",
    ),
    _address,
    habits.refused("--network-alias", "--net-alias", why="a container is found by its name"),
    habits.refused("--ip6", why="networks have no IPv6 here"),
    habits.refused("--mac-address", why="it is given one"),
)  # fmt: skip


@click.group(
    cls=habits.Noun, instead={"prune": "Those that nobody is on: higgins network rm $(higgins network ls -q)"}
)  # fmt: skip
def network() -> None:
    """Networks: who is on one reaches all others on it, by address and by name, and the world; of other networks, nobody.

    A project that has none gets one with its first container, named `default`.
    """


@network.command(
    "create", epilog=examples.of("higgins network create back", "higgins network create --subnet 10.20.0.0/24 back")
)
@click.option("--subnet", metavar="SUBNET", help="Its addresses, such as 10.20.0.0/24; some that are free by default.")
@click.option("--shared", is_flag=True, help="Let every project use it; for administrators.")
@habits.refused("-d", "--driver", why="networks are of one kind here; leave it out")
@habits.refused("--gateway", why=_ADDRESSES)
@habits.refused("--ip-range", why=_ADDRESSES)
@habits.refused("--internal", why="whoever is on a network reaches the world")
@habits.refused("--ipv6", why="networks have no IPv6 here")
@habits.refused("--label", why="networks have no labels")
@habits.refused("-o", "--opt", why="networks are of one kind here; leave it out")
@click.argument("name")
def create(name: str, *, subnet: str | None, shared: bool) -> None:
    """Make a network. Prints its id."""
    asked = {"name": name, "subnet": subnet, "shared": shared or None}
    body = {key: value for key, value in asked.items() if value is not None}
    cloud = session.cloud()
    names.check_unused(cloud, name, _NOUN, shared=shared)
    click.echo(cloud.post(path(_NOUN), None, body)["uuid"])


@network.command("ls", epilog=examples.of("higgins network ls", "higgins network ls -o json"))
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("--no-trunc", is_flag=True, help="Shorten nothing.")
@templates.option()
@click.option("--all-projects", is_flag=True, help="Of every project; for administrators.")
@output.option()
def ls(*, quiet: bool, no_trunc: bool, template: str | None, all_projects: bool, output_as: str) -> None:
    """List the networks that the project can use."""
    found = list(session.cloud().pages(path(_NOUN), _NOUN, {"all_projects": all_projects or None}))
    if template is not None:
        templates.show(template, [{**one, "id": one["uuid"]} for one in found])
        return
    if quiet:
        for one in found:
            click.echo(one["uuid"] if no_trunc else names.short(one))
        return

    def row(one: Document) -> Sequence[str]:
        shared = "yes" if one["project_id"] is None else "no"
        whose = one["uuid"] if no_trunc else names.short(one)
        return (str(one["name"]), str(one["subnet"]), str(one["gateway"]), shared, whose)

    output.many(output_as, found, _TITLES, row, whole=no_trunc, spare=("gateway", "shared", "id"))
    if not found and output_as == "table" and sys.stdout.isatty():
        click.echo("There is none yet: the first container makes one.", err=True)


@network.command("show", epilog=examples.of("higgins network show back", "higgins network show -o yaml back"))
@templates.option("-f")
@output.option()
@_network
def show(network: str, *, template: str | None, output_as: str) -> None:
    """Show a network, and which containers and capsules are on it."""
    cloud = session.cloud()
    found = names.one(cloud, network, _NOUN)
    there = [one for noun in ("containers", "capsules") for one in _on(cloud, noun, found["uuid"])]
    whole = {**found, "attached": there}
    if templates.shown(template, output_as, whole, name=str(found["name"])):
        return
    output.fields({key: value for key, value in found.items() if key != "links"})
    if there:
        click.echo()
        table.show(
            ("name", "kind", "addresses", "id"),
            [(one["name"] or "", one["kind"], ", ".join(one["addresses"]), names.short(one)) for one in there],
        )


@network.command("rm", epilog=examples.of("higgins network rm back"))
@click.argument("networks", metavar="NETWORK...", nargs=-1, required=True, shell_complete=completion.networks)
def rm(networks: Sequence[str]) -> None:
    """Remove networks that nobody is on."""
    several.remove(networks, _NOUN, users="Who is on it")


@network.command(
    "attach", epilog=examples.of("higgins network attach web back", "higgins network attach --ip 10.20.0.7 web back")
)
@_address
@_container
@_network
def attach(container: str, network: str, *, address: str | None) -> None:
    """Have a container on one more network, whether or not it runs. Prints its address there."""
    cloud = session.cloud()
    there = names.one(cloud, network, _NOUN)["uuid"]

    def ask(name: str) -> None:
        cloud.post(path("containers", name, "network_attach"), {"network": there, "fixed_ip": address})
        found = _settled(cloud, name).get(there)
        if not found:
            raise waiting.unmet(cloud, name, f"{container} was not attached to {network}")
        click.echo(", ".join(found))

    names.act(cloud, container, ask)


@network.command("detach", epilog=examples.of("higgins network detach web back"))
@_container
@_network
def detach(container: str, network: str) -> None:
    """Take a container off a network, whether or not it runs."""
    cloud = session.cloud()
    there = names.one(cloud, network, _NOUN)["uuid"]

    def ask(name: str) -> None:
        cloud.post(path("containers", name, "network_detach"), {"network": there})
        if there in _settled(cloud, name):
            raise waiting.unmet(cloud, name, f"{container} was not taken off {network}")

    names.act(cloud, container, ask)


@network.command("connect", hidden=True, epilog=examples.of("higgins network connect --ip 10.20.0.7 back web"))
@_address
@_network
@_container
@click.pass_context
def connect(context: click.Context, container: str, network: str, *, address: str | None) -> None:
    """Docker's word for `attach`; there the network comes first."""
    context.invoke(attach, container=container, network=network, address=address)


@network.command("disconnect", hidden=True, epilog=examples.of("higgins network disconnect back web"))
@habits.needless("-f", "--force")
@_network
@_container
@click.pass_context
def disconnect(context: click.Context, container: str, network: str) -> None:
    """Docker's word for `detach`; there the network comes first."""
    context.invoke(detach, container=container, network=network)


def wishes(networks: Sequence[str], address: str | None) -> Sequence[Mapping[str, str]]:
    """What `run` and `create` ask for. Raises Invalid for an address that could be on any of several networks, or on one that is not named."""
    if address is not None and len(networks) != 1:
        raise errors.Invalid("--ip needs exactly one --network; for others there is `higgins network attach --ip`")
    return [{"network": each, **({"v4-fixed-ip": address} if address else {})} for each in networks]


def addresses(one: Document) -> Mapping[str, Sequence[str]]:
    """The addresses of a container or a capsule, by the ids of its networks."""
    return {network: [each["addr"] for each in there] for network, there in (one.get("addresses") or {}).items()}


def listed(one: Document) -> Sequence[str]:
    """All of them."""
    return [address for there in addresses(one).values() for address in there]


def _on(cloud: Cloud, noun: str, network: str) -> Sequence[Document]:
    return [
        {"uuid": one["uuid"], "name": one["name"], "kind": noun.removesuffix("s"), "addresses": addresses(one)[network]}
        for one in names.every(cloud, noun)
        if network in addresses(one)
    ]


def _settled(cloud: Cloud, name: str) -> Mapping[str, Sequence[str]]:
    """Its addresses once nothing more is being done about it."""
    return addresses(waiting.settled(cloud, name) or {})
