"""`higgins status`: what is up, in one look."""

import json
import urllib.error
import urllib.request

import click

from higgins import __version__, errors
from higgins.cli import context, hosts, opened
from higgins.settings import Settings
from higgins.store import version


@click.command()
def status() -> None:
    """Tell what is up; status 1 if something is not."""
    settings = context.settings()
    lines = [_api(settings), _database(), *_hosts()]
    for well, name, said in lines:
        click.echo(f"{click.style('up  ' if well else 'DOWN', fg='green' if well else 'red')}  {name:10}{said}")
    if not all(well for well, _, _ in lines):
        raise SystemExit(1)


Line = tuple[bool, str, str]


def _api(settings: Settings) -> Line:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.api.host_ip, settings.api.host_ip)
    url = f"http://{host}:{settings.api.port}"
    try:
        with urllib.request.urlopen(f"{url}/", timeout=5) as answer:
            versions = json.load(answer)["versions"]
    except (OSError, ValueError, KeyError, urllib.error.URLError) as error:
        return False, "api", f"{url}: {getattr(error, 'reason', error)}"
    return True, "api", f"{url}/v1, microversions to {versions[0]['max_version']}, Higgins {__version__}"


def _database() -> Line:
    try:
        with opened.database() as database:
            return True, "database", f"{database.name}, version {version.of(database)}"
    except errors.Failure as failure:
        return False, "database", failure.message


def _hosts() -> list[Line]:
    try:
        found = hosts.every()
    except errors.Failure:
        return []
    return [(hosts.state(host) == "up", "host", f"{host.name}: {hosts.state(host)}") for host in found]
