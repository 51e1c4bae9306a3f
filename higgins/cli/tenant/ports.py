"""`higgins port`, and the ports that `run` and `create` are told of."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from higgins import errors
from higgins.cli.tenant import completion, examples, habits, names, session
from higgins.client.cloud import Cloud, Document

OPTIONS = (
    click.option("-p", "--publish", "publish", multiple=True, metavar="[HOST:]PORT[/udp]", help="Publish a port at one of its host's, or at any free one."),
    click.option("--expose", "expose", multiple=True, metavar="PORT[/udp]", help="Let nothing in but to such ports, and to published ones."),
    habits.refused("-P", "--publish-all", why="what an image listens on is not known before it is there; name each port with -p"),
)  # fmt: skip
_EVERYWHERE = "0.0.0.0"
_LAST = 65535
_WRITTEN = re.compile(r"(?:(?P<host>[^:]*):)?(?P<port>[^:/]+)(?:/(?P<protocol>.*))?")


@click.command(epilog=examples.of("higgins port web", "higgins port web 80", "higgins port web 53/udp"))
@click.argument("container", shell_complete=completion.reachable)
@click.argument("private", metavar="[PORT[/udp]]", required=False)
def port(container: str, private: str | None) -> None:
    """Show which ports of its host lead to a container, or a capsule."""
    told = published(_meant(session.cloud(), container))
    if private is None:
        for inside, outside in told:
            click.echo(f"{inside} -> {outside}")
        return
    with_protocol = _inside(private)
    leading = [outside for inside, outside in told if inside == with_protocol]
    if not leading:
        failure = errors.NotFound(f"no port of its host leads to {with_protocol} of {container}")
        failure.add_note(f"All that there are: higgins port {container}")
        raise failure
    click.echo("\n".join(leading))


def _meant(cloud: Cloud, given: str) -> Document:
    """A container; a capsule where none is called so."""
    try:
        return names.one(cloud, given, "containers")
    except errors.NotFound:
        if not any(given == one["name"] or one["uuid"].startswith(given) for one in names.every(cloud, "capsules")):
            raise
        return names.one(cloud, given, "capsules")


def wishes(given: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """What `-p` asks for. Raises Invalid."""
    return [_wish(each) for each in given]


def exposed(given: Sequence[str]) -> Mapping[str, Any]:
    """What `--expose` asks for. Raises Invalid."""
    return {_inside(each): {} for each in given}


def published(one: Document) -> Sequence[tuple[str, str]]:
    """What is published of a container, or a capsule: its own port, and where that is reached; only where that is known already, and came about."""
    if one["status"] == "Error":
        return []
    return [
        (f"{each['port']}/{each['protocol']}", f"{_EVERYWHERE}:{each['host_port']}")
        for each in one.get("published_ports") or ()
        if each["host_port"] is not None
    ]


def listed(one: Document) -> str:
    """All of it, as docker writes it: 0.0.0.0:8080->80/tcp."""
    return ", ".join(f"{outside}->{inside}" for inside, outside in published(one))


def nested(one: Document) -> Mapping[str, Sequence[Mapping[str, str]]]:
    """All of it, as docker's own documents have it."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for inside, outside in published(one):
        address, _, number = outside.partition(":")
        found.setdefault(inside, []).append({"host_ip": address, "host_port": number})
    return found


def _wish(text: str) -> Mapping[str, Any]:
    if text.count(":") > 1:
        raise errors.Invalid(f"-p {text}: an address of the host cannot be chosen; write it as [HOST:]PORT[/udp]")
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise errors.Invalid(f"-p {text}: it is no port; write it as [HOST:]PORT[/udp], such as 8080:80")
    wish = {"port": _number(found["port"], f"-p {text}"), "protocol": _protocol(found["protocol"], f"-p {text}")}
    return wish if not found["host"] else {**wish, "host_port": _number(found["host"], f"-p {text}")}


def _inside(text: str) -> str:
    number, _, protocol = text.partition("/")
    return f"{_number(number, text)}/{_protocol(protocol, text)}"


def _number(text: str, given: str) -> int:
    if re.fullmatch(r"\d+-\d+", text):
        raise errors.Invalid(f"{given}: ranges are not offered; name each port by itself")
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= _LAST:
        raise errors.Invalid(f"{given}: {text!r} is no port; it is a number from 1 to {_LAST}")
    return int(text)


def _protocol(text: str | None, given: str) -> str:
    if text not in (None, "", "tcp", "udp"):
        raise errors.Invalid(f"{given}: {text!r} is not offered; it is tcp or udp")
    return text or "tcp"
