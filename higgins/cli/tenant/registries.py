"""`higgins registry`: where images come from, and the passwords for it."""

import sys
from collections.abc import Sequence

import click

from higgins import errors
from higgins.cli.tenant import examples, habits, names, output, session, several
from higgins.client.cloud import Document, path


@click.group(cls=habits.Noun)
def registry() -> None:
    """Registries with stored passwords, for images that not everybody may fetch. Nobody gets a password back."""


@registry.command("add", epilog=examples.of("higgins registry add registry.example.org:5000 -u martha"))
@click.option("--name", help="What it is called; its address by default.")
@click.option("-u", "--username", help="Who logs in there.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.argument("domain")
def add(domain: str, *, name: str | None, username: str | None, password_stdin: bool) -> None:
    """Store the login to the registry at DOMAIN, such as registry.example.org:5000."""
    password = None
    if username is not None:
        password = _password(from_stdin=password_stdin)
    elif password_stdin:
        raise click.UsageError("A password needs a --username.")
    asked = {"domain": domain, "name": name or _name(domain), "username": username, "password": password}
    body = {"registry": {key: value for key, value in asked.items() if value is not None}}
    made = session.cloud().post("/registries", None, body)["registry"]
    click.echo(made["name"])


@registry.command("list", epilog=examples.of("higgins registry list"))
@output.option()
def list_registries(output_as: str) -> None:
    """Show the stored logins, without passwords."""
    found = list(session.cloud().pages("/registries", "registries", {}))
    output.many(output_as, found, ("name", "domain", "username", "id"), _row)


@registry.command("rm", epilog=examples.of("higgins registry rm registry.example.org-5000"))
@click.argument("registries", metavar="REGISTRY...", nargs=-1, required=True)
def rm(registries: Sequence[str]) -> None:
    """Forget stored logins."""
    cloud = session.cloud()

    def forget(given: str) -> None:
        try:
            cloud.delete(path("registries", given))
        except errors.NotFound as missing:
            known = cloud.get("/registries")["registries"]
            raise names.near(given, [one["name"] for one in known], "higgins registry list") from missing

    several.each(registries, forget)


def _row(one: Document) -> Sequence[str]:
    return (str(one["name"]), str(one["domain"]), one.get("username") or "", names.short(one))


def _name(domain: str) -> str:
    return "".join(char if char.isalnum() or char in "._-" else "-" for char in domain)


def _password(*, from_stdin: bool) -> str:
    if sys.stdin.isatty() and not from_stdin:
        return str(click.prompt("Password", hide_input=True, err=True))
    if password := sys.stdin.readline().rstrip("\r\n"):
        return password
    raise click.UsageError("There is no password on standard input.")
