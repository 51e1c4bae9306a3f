"""`higgins security-group`, and the groups that `run` and `create` are told of."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from higgins import errors
from higgins.cli import table, trouble
from higgins.cli.tenant import completion, examples, habits, names, output, session, several, templates, waiting
from higgins.client.cloud import Document, path

_NOUN = "security_groups"
_TITLES = ("name", "lets in", "id")
_container = click.argument("container", shell_complete=completion.containers)
_group = click.argument("group", shell_complete=completion.security_groups)

OPTIONS = (
    click.option(
        "--security-group", "security_groups", multiple=True, metavar="GROUP", shell_complete=completion.security_groups,
        help="Let in only what this group allows; several, if it is repeated. By default all that comes from its networks.",
    ),
)  # fmt: skip
_WRITTEN = re.compile(r"(?P<protocol>[a-z]+)(?:/(?P<first>\d+)(?:-(?P<last>\d+))?)?(?::(?P<source>.+))?")


@click.group(
    "security-group", cls=habits.Noun, instead={"add": "What it allows never changes: make another one, and `attach` that."}
)  # fmt: skip
def security_group() -> None:
    """Security groups: what may come in to the containers that have them, and nothing else may.

    What a group allows never changes: for something else make another one.
    """


@security_group.command(
    "create",
    epilog=examples.of(
        "higgins security-group create --allow tcp/80 --allow tcp/443 web",
        "higgins security-group create --allow tcp/5432:10.88.0.0/16 --allow icmp db",
    ),
)
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="PROTOCOL[/PORT[-PORT]][:SUBNET]",
    help="tcp, udp, icmp or any; to these ports, from there; may be repeated. Nothing may come in by default.",
)
@click.argument("name")
def create(name: str, *, allowed: Sequence[str]) -> None:
    """Make a security group. Prints its id."""
    with trouble.usage():
        rules = [rule(each) for each in allowed]
    cloud = session.cloud()
    names.check_unused(cloud, name, _NOUN)
    click.echo(cloud.post(path(_NOUN), None, {"name": name, "rules": rules})["uuid"])


@security_group.command("ls", epilog=examples.of("higgins security-group ls", "higgins security-group ls -o json"))
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("--no-trunc", is_flag=True, help="Shorten nothing.")
@click.option("--all-projects", is_flag=True, help="Of every project; for administrators.")
@output.option()
def ls(*, quiet: bool, no_trunc: bool, all_projects: bool, output_as: str) -> None:
    """List the security groups of the project."""
    found = list(session.cloud().pages(path(_NOUN), _NOUN, {"all_projects": all_projects or None}))

    def called(one: Document) -> str:
        return str(one["uuid"]) if no_trunc else names.short(one)

    if quiet:
        for one in found:
            click.echo(called(one))
        return
    output.many(
        output_as,
        found,
        _TITLES,
        lambda one: (str(one["name"]), ", ".join(map(written, one["rules"])) or "nothing", called(one)),
        whole=no_trunc,
        first=("lets in",),
    )


@security_group.command("show", epilog=examples.of("higgins security-group show web"))
@templates.option("-f")
@output.option()
@_group
def show(group: str, *, template: str | None, output_as: str) -> None:
    """Show a security group, and which containers have it."""
    cloud = session.cloud()
    found = names.one(cloud, group, _NOUN)
    there = [
        {"uuid": one["uuid"], "name": one["name"]}
        for one in names.every(cloud)
        if found["uuid"] in (one.get("security_groups") or ())
    ]
    whole = {**found, "attached": there}
    if templates.shown(template, output_as, whole, name=str(found["name"])):
        return
    rules = ", ".join(map(written, found["rules"])) or "nothing"
    output.fields({key: value for key, value in found.items() if key not in ("links", "rules")} | {"lets in": rules})
    if there:
        click.echo()
        table.show(("container", "id"), [(one["name"], names.short(one)) for one in there])


@security_group.command("attach", epilog=examples.of("higgins security-group attach web intern"))
@_container
@_group
def attach(container: str, group: str) -> None:
    """Give a container a group, whether or not it runs: then only that comes in which its groups allow."""
    _change(container, group, "add_security_group", f"{container} was not given {group}")


@security_group.command("detach", epilog=examples.of("higgins security-group detach web intern"))
@_container
@_group
def detach(container: str, group: str) -> None:
    """Take a group from a container, whether or not it runs. Without any, its networks reach it as they like."""
    _change(container, group, "remove_security_group", f"{group} was not taken from {container}")


@security_group.command("rm", epilog=examples.of("higgins security-group rm web"))
@click.argument("groups", metavar="GROUP...", nargs=-1, required=True, shell_complete=completion.security_groups)
def rm(groups: Sequence[str]) -> None:
    """Remove security groups that no container has."""
    several.remove(groups, _NOUN, users="Which they are")


def rule(text: str) -> Mapping[str, Any]:
    """What `--allow` says. Raises Invalid."""
    found = _WRITTEN.fullmatch(text)
    if found is None or found["protocol"] not in ("tcp", "udp", "icmp", "any"):
        raise errors.Invalid(
            f"--allow {text}: write it as PROTOCOL[/PORT[-PORT]][:SUBNET], with tcp, udp, icmp or any; such as tcp/80:10.0.0.0/8"
        )
    if found["first"] and found["protocol"] not in ("tcp", "udp"):
        raise errors.Invalid(f"--allow {text}: only tcp and udp have ports")
    said = {
        "protocol": None if found["protocol"] == "any" else found["protocol"],
        "port_min": int(found["first"]) if found["first"] else None,
        "port_max": int(found["last"]) if found["last"] else None,
        "source": found["source"],
    }
    return {key: value for key, value in said.items() if value is not None}


def written(rule: Mapping[str, Any]) -> str:
    """A rule as `--allow` has it."""
    first, last = rule["port_min"], rule["port_max"]
    ports = "" if first is None else f"/{first}" if first == last else f"/{first}-{last}"
    return f"{rule['protocol'] or 'any'}{ports}{':' + rule['source'] if rule['source'] else ''}"


def _change(container: str, group: str, verb: str, unmet: str) -> None:
    cloud = session.cloud()
    meant = names.one(cloud, group, _NOUN)["uuid"]

    def ask(name: str) -> None:
        cloud.post(path("containers", name, verb), {"name": meant})
        found = waiting.settled(cloud, name) or {}
        if (meant in found.get("security_groups", ())) is not (verb == "add_security_group"):
            raise waiting.unmet(cloud, name, unmet)

    names.act(cloud, container, ask)
