"""`higgins host`: lets hosts join, and shows, enables, disables and removes them."""

import asyncio
import ipaddress
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import click

from higgins import errors
from higgins.cli import context, opened, table
from higgins.link.certificates import Authority
from higgins.link.enrolment import JoinToken
from higgins.model.host import Host, Inventory
from higgins.service.hints import Hints
from higgins.service.hosts import Hosts
from higgins.settings import Link

Result = TypeVar("Result")


@click.group()
def host() -> None:
    """Hosts: let one join, list, enable, disable, remove."""


@host.command()
@click.option("--lifetime", default=3600.0, show_default=True, help="Seconds that it is good for.")
def token(lifetime: float) -> None:
    """Make a token with which one machine can join as a host, once."""
    settings = context.settings()
    made = JoinToken.make(_address(settings.link), settings.link.enrol_port, Authority.open(settings.state_dir))
    _hosts(lambda hosts: hosts.invite(made.digest, lifetime))
    click.echo(str(made))
    click.echo("On the machine that joins: higgins agent --join TOKEN", err=True)


def _address(link: Link) -> str:
    """Where hosts find the link. Raises Invalid where only the operator can know."""
    if link.advertise is not None:
        return link.advertise
    if ipaddress.ip_address(link.host_ip).is_unspecified:
        raise errors.Invalid(
            "hosts have to know an address of this machine: set [link] advertise to HOST:PORT as they reach it"
        )
    return f"{link.host_ip}:{link.port}"


@host.command("list")
def print_list() -> None:
    """Show every host."""
    now = time.time()
    rows = [_row(each, now) for each in every()]
    table.show(("name", "state", "zone", "runtime", "containers", "cpu", "memory", "seen"), rows)


@host.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let a host take containers again."""
    _hosts(lambda hosts: hosts.set_enabled(name, enabled=True))


@host.command()
@click.argument("name")
@click.option("--reason", help="Shown to whoever lists hosts.")
def disable(name: str, reason: str | None) -> None:
    """Let a host take nothing new; what runs there stays."""
    _hosts(lambda hosts: hosts.set_enabled(name, enabled=False, reason=reason))


@host.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a host that has no containers; its certificate is worth nothing from then on."""
    _hosts(lambda hosts: hosts.remove(name))


def _hosts(act: Callable[[Hosts], Coroutine[Any, Any, Result]]) -> Result:
    with opened.database() as database:
        return asyncio.run(act(Hosts(database, Hints())))


def _row(host: Host, now: float) -> Sequence[str]:
    inventory = host.inventory or Inventory(runtime="-")
    return (
        host.name,
        state(host),
        host.availability_zone,
        f"{inventory.runtime} {inventory.runtime_version}".strip(),
        str(inventory.containers),
        f"{host.allocated.cpu:g} of {inventory.capacity.cpu:g}",
        f"{host.allocated.memory} of {inventory.capacity.memory} MiB",
        "never" if host.seen_at is None else f"{max(0, now - host.seen_at):.0f} s ago",
    )


def every() -> Sequence[Host]:
    """All hosts."""
    return _hosts(lambda hosts: hosts.list())


def state(host: Host) -> str:
    """In a word, or with the reason."""
    if host.down:
        return "down"
    if host.inventory is not None and host.inventory.trouble:
        return f"trouble: {host.inventory.trouble}"
    if not host.enabled:
        return f"disabled: {host.disabled_reason}" if host.disabled_reason else "disabled"
    return "up" if host.seen_at is not None else "never seen"
