"""`--dry-run`: what would come about, told to a person or a program; nothing is made."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import click

from higgins import errors
from higgins.cli import plain
from higgins.cli.tenant import output, placing
from higgins.client.cloud import Cloud, Document

OPTIONS = (
    click.option("--dry-run", is_flag=True, help="Make nothing: say whether it would fit, and what would have to change."),
    click.option("-o", "--output", "output_as", type=click.Choice(("table", "json", "yaml")), help="How the answer to --dry-run is shown."),
)  # fmt: skip
_FLAGS: Mapping[str, Callable[[Any], str]] = {
    "host": lambda name: f"--host {name}",
    "availability_zone": lambda name: f"--zone {name}",
    "runtime": lambda name: f"--runtime {name}",
    "cpu": lambda cores: f"--cpus {cores:g}",
    "memory": lambda mebibytes: f"--memory {mebibytes}m",
    "disk": lambda gibibytes: f"--disk {gibibytes}g",
}
"""How what is asked for is typed, by its name in the API."""

_TAKEN = "a port that was asked for is taken"


def check(asked: Mapping[str, Any]) -> None:
    """Raises Invalid where it is said how to show an answer that there will not be."""
    if asked["output_as"] and not asked["dry_run"]:
        raise errors.Invalid("-o says how the answer to --dry-run is shown, and is for that only")


def end(cloud: Cloud, wanted: Mapping[str, Any], output_as: str | None, *, run: bool) -> NoReturn:
    """Tell what would come about, and end the command: with 0 if it would fit, else with 1."""
    query = {"run": run, "dry_run": True}
    found: Document = placing.asked(cloud, query, wanted)
    if output_as in (None, "table"):
        click.echo("\n".join(map(plain.line, [*sentences(found), *_freed(found, wanted)])))
    else:
        output.one(output_as, found, name="")
    sys.exit(0 if found["fits"] else 1)


def sentences(found: Document) -> list[str]:
    """The answer in words, with what would have to be typed instead."""
    told = [_verdict(found), _claim(found)]
    if found["reason"] is not None:
        told.append(found["reason"])
    if (change := found["change"]) is not None:
        typed, before = _FLAGS[change["field"]], change["from"]
        instead = (
            f"without {typed(before)}" if change["to"] is None else f"with {typed(change['to'])}, not {typed(before)}"
        )
        told.append(f"It would fit {instead}.")
    elif not found["fits"] and not found["temporary"]:
        told.append("Asking for less of one thing would not help.")
    return told


def _freed(found: Document, wanted: Mapping[str, Any]) -> list[str]:
    """What might help of which the answer says nothing: ports that somebody has."""
    named = [one for one in wanted.get("published_ports", ()) if "host_port" in one]
    if found["fits"] or not named or _TAKEN not in (found["reason"] or ""):
        return []
    freely = " ".join(f"-p {one['port']}{'/udp' if one['protocol'] == 'udp' else ''}" for one in named)
    return [f"With {freely} it gets ports that are free."]


def _verdict(found: Document) -> str:
    if found["temporary"]:
        return "It does not fit now, but perhaps in a moment."
    if not found["fits"]:
        return "It does not fit."
    return (
        "It fits."
        if found["hosts"] is None
        else f"It fits: {found['fitting']} of {found['hosts']} hosts would take it."
    )


def _claim(found: Document) -> str:
    claim = found["claim"]
    asked = [f"{claim['cpu']:g} cores"] if claim["cpu"] else []
    asked += [f"{claim['memory']} MiB of memory"] if claim["memory"] else []
    asked += [f"{claim['disk']} GiB of disk"] if claim["disk"] else []
    asked += [f"the runtime {found['runtime']}"] if found["runtime"] else []
    asked += [f"the zone {found['availability_zone']}"] if found["availability_zone"] else []
    return f"It asks for {', '.join(asked)}." if asked else "It asks for nothing that a host could be short of."
