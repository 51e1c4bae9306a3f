"""`higgins security-group`, and the groups that `run` and `create` are told of."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from higgins import errors
from higgins.cli import trouble
from higgins.cli.tenant import completion, examples, names, output, session
from higgins.client.cloud import Cloud, Document, path

_NOUN = "security_groups"
_TITLES = ("name", "lets in", "id")
_group = click.argument("group", shell_complete=completion.security_groups)

OPTIONS = (
    click.option(
        "--security-group", "security_groups", multiple=True, metavar="GROUP", shell_complete=completion.security_groups,
        help="Let in only what this group allows; several, if it is repeated. By default all that comes from its networks.",
    ),
)  # fmt: skip
_WRITTEN = re.compile(r"(?P<protocol>[a-z]+)(?:/(?P<first>\d+)(?:-(?P<last>\d+))?)?(?::(?P<source>.+))?")


@click.group("security-group")
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
    click.echo(session.cloud().post(path(_NOUN), None, {"name": name, "rules": rules})["uuid"])


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
@output.option()
@_group
def show(group: str, *, output_as: str) -> None:
    """Show a security group."""
    found = _meant(session.cloud(), group)
    if output_as != "table":
        output.one(output_as, found, name=str(found["name"]))
        return
    rules = ", ".join(map(written, found["rules"])) or "nothing"
    output.fields({key: value for key, value in found.items() if key not in ("links", "rules")} | {"lets in": rules})


@security_group.command("rm", epilog=examples.of("higgins security-group rm web"))
@click.argument("groups", metavar="GROUP...", nargs=-1, required=True, shell_complete=completion.security_groups)
def rm(groups: Sequence[str]) -> None:
    """Remove security groups that no container has."""
    cloud = session.cloud()
    failed = False
    for given in dict.fromkeys(groups):
        try:
            names.act(cloud, given, lambda name: cloud.delete(path(_NOUN, name)), _NOUN)
            click.echo(given)
        except errors.Failure as failure:
            trouble.tell(failure)
            failed = True
    if failed:
        sys.exit(1)


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


def _meant(cloud: Cloud, given: str) -> Document:
    found: Document = names.act(cloud, given, lambda name: cloud.get(path(_NOUN, name)), _NOUN)
    return found
