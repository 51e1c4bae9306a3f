"""`higgins user`, `project` and `role`: the local identity, straight in its database, whether or not the service runs.

A running service notices a change within seconds.
"""

import asyncio
import json
import secrets
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from higgins.cli import opened, table
from higgins.logic import access
from higgins.model.identity import ApplicationCredential, Grant, Project, User
from higgins.service.accounts import Accounts
from higgins.service.identity import LocalIdentity

Result = TypeVar("Result")
Shown = Mapping[str, Any]

_USER = ("id", "name", "enabled", "created")
_PROJECT = ("id", "name", "created")
_GRANT = ("user", "project", "role")
_CREDENTIAL = ("id", "name", "project_id", "roles", "expires", "description")

output = click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How it is shown; a table by default."
)
_role = click.Choice(access.ROLES)


@click.group()
def user() -> None:
    """Users of the local identity. USER is a name or an id."""


@user.command("create")
@click.argument("name")
@click.option("--password", help="Other users of this machine can see it while the command runs.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.option("--project", help="Give the user a role in this project.")
@click.option("--role", type=_role, default="member", help="Which role; member by default.")
@output
def create_user(
    name: str, *, password: str | None, password_stdin: bool, project: str | None, role: str, output: str
) -> None:
    """Make a user. Without a password one is generated, and shown this once."""
    given = _password(password, from_stdin=password_stdin)
    chosen = given or secrets.token_urlsafe(18)

    async def create(accounts: Accounts) -> User:
        if project is not None:
            await accounts.project(project)  # Before there is a user who could not use it.
        made = await accounts.create_user(name, chosen)
        if project is not None:
            await accounts.grant(made.id, project, role)
        return made

    shown = _shown_user(_accounts(create))
    _show(output, shown if given else {**shown, "password": chosen})


@user.command("list")
@output
def list_users(output: str) -> None:
    """Show every user."""
    _list(output, _USER, [_shown_user(each) for each in _accounts(lambda accounts: accounts.users())])


@user.command("show")
@click.argument("user")
@output
def show_user(user: str, output: str) -> None:
    """Show one user."""
    _show(output, _shown_user(_accounts(lambda accounts: accounts.user(user))))


@user.command("set-password")
@click.argument("user")
@click.option("--password", help="Other users of this machine can see it while the command runs.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@output
def set_password(user: str, *, password: str | None, password_stdin: bool, output: str) -> None:
    """Give a user another password; all tokens end. Without a password one is generated, and shown this once."""
    given = _password(password, from_stdin=password_stdin)
    chosen = given or secrets.token_urlsafe(18)
    shown = _shown_user(_accounts(lambda accounts: accounts.set_password(user, chosen)))
    _show(output, shown if given else {**shown, "password": chosen})


@user.command("enable")
@click.argument("user")
def enable_user(user: str) -> None:
    """Let a user log in again."""
    _accounts(lambda accounts: accounts.set_enabled(user, enabled=True))


@user.command("disable")
@click.argument("user")
def disable_user(user: str) -> None:
    """Keep a user out; all tokens end."""
    _accounts(lambda accounts: accounts.set_enabled(user, enabled=False))


@user.command("delete")
@click.argument("user")
def delete_user(user: str) -> None:
    """Forget a user. What the user made stays in its project."""
    _accounts(lambda accounts: accounts.delete_user(user))


@user.group("credential")
def credential() -> None:
    """Application credentials: secrets with which programs act for a user in one project."""


@credential.command("create")
@click.argument("user")
@click.argument("name")
@click.option("--project", required=True, help="Where it acts.")
@click.option("--role", "roles", type=_role, multiple=True, help="What it may; all that the user may by default.")
@click.option("--expires", type=click.DateTime(), help="When it ends, in UTC; never by default.")
@click.option("--description")
@output
def create_credential(
    user: str,
    name: str,
    project: str,
    roles: Sequence[str],
    expires: datetime | None,
    description: str | None,
    output: str,
) -> None:
    """Make an application credential. Its secret is shown this once."""

    async def create(accounts: Accounts, identity: LocalIdentity) -> tuple[ApplicationCredential, str]:
        return await identity.create_credential(
            (await accounts.user(user)).id,
            (await accounts.project(project)).id,
            name,
            roles=roles or None,
            description=description,
            expires_at=expires.replace(tzinfo=UTC).timestamp() if expires else None,
        )

    made, secret = _identity(create)
    _show(output, {**_shown_credential(made), "secret": secret})


@credential.command("list")
@click.argument("user")
@output
def list_credentials(user: str, output: str) -> None:
    """Show a user's application credentials."""

    async def every(accounts: Accounts, identity: LocalIdentity) -> Sequence[ApplicationCredential]:
        return await identity.credentials((await accounts.user(user)).id)

    _list(output, _CREDENTIAL, [_shown_credential(each) for each in _identity(every)])


@credential.command("delete")
@click.argument("user")
@click.argument("credential")
def delete_credential(user: str, credential: str) -> None:
    """End one of a user's application credentials, by id or name, and its tokens."""

    async def delete(accounts: Accounts, identity: LocalIdentity) -> None:
        await identity.delete_credential((await accounts.user(user)).id, credential)

    _identity(delete)


@click.group()
def project() -> None:
    """Projects of the local identity. PROJECT is a name or an id."""


@project.command("create")
@click.argument("name")
@output
def create_project(name: str, output: str) -> None:
    """Make a project."""
    _show(output, _shown_project(_accounts(lambda accounts: accounts.create_project(name))))


@project.command("list")
@output
def list_projects(output: str) -> None:
    """Show every project."""
    _list(output, _PROJECT, [_shown_project(each) for each in _accounts(lambda accounts: accounts.projects())])


@project.command("show")
@click.argument("project")
@output
def show_project(project: str, output: str) -> None:
    """Show one project."""
    _show(output, _shown_project(_accounts(lambda accounts: accounts.project(project))))


@project.command("delete")
@click.argument("project")
def delete_project(project: str) -> None:
    """Forget a project that has no containers."""
    _accounts(lambda accounts: accounts.delete_project(project))


@click.group()
def role() -> None:
    """Who has which role in which project: admin (of everything), manager, member or reader; each implies those after it."""


@role.command("list")
@click.option("--user", help="Of this user only.")
@click.option("--project", help="In this project only.")
@output
def list_roles(user: str | None, project: str | None, output: str) -> None:
    """Show what has been granted."""
    found = _accounts(lambda accounts: accounts.grants(user=user, project=project))
    _list(output, _GRANT, [_shown_grant(each) for each in found])


@role.command("grant")
@click.argument("role", type=_role)
@click.option("--user", required=True)
@click.option("--project", required=True)
def grant_role(role: str, user: str, project: str) -> None:
    """Give a user a role in a project; it counts from the next login."""
    _accounts(lambda accounts: accounts.grant(user, project, role))


@role.command("revoke")
@click.argument("role", type=_role)
@click.option("--user", required=True)
@click.option("--project", required=True)
def revoke_role(role: str, user: str, project: str) -> None:
    """Take a role back; the user's tokens for the project end."""
    _accounts(lambda accounts: accounts.revoke(user, project, role))


def _accounts(act: Callable[[Accounts], Coroutine[Any, Any, Result]]) -> Result:
    return _identity(lambda accounts, _: act(accounts))


def _identity(act: Callable[[Accounts, LocalIdentity], Coroutine[Any, Any, Result]]) -> Result:
    with opened.database() as database:
        return asyncio.run(act(Accounts(database), LocalIdentity(database)))


def _password(option: str | None, *, from_stdin: bool) -> str | None:
    """As given; None to generate one."""
    if option is not None and from_stdin:
        raise click.UsageError("--password and --password-stdin exclude each other.")
    if option == "":
        raise click.UsageError("The password is empty.")
    if not from_stdin:
        return option
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    if password := sys.stdin.readline().rstrip("\r\n"):
        return password
    raise click.UsageError("There is no password on standard input.")


def _shown_user(user: User) -> Shown:
    return {"id": user.id, "name": user.name, "enabled": user.enabled, "created": _moment(user.created_at)}


def _shown_project(project: Project) -> Shown:
    return {"id": project.id, "name": project.name, "created": _moment(project.created_at)}


def _shown_grant(grant: Grant) -> Shown:
    return {"user": grant.user.name, "project": grant.project.name, "role": grant.role}


def _shown_credential(credential: ApplicationCredential) -> Shown:
    return {
        "id": credential.id,
        "name": credential.name,
        "project_id": credential.project_id,
        "roles": sorted(credential.roles),
        "expires": _moment(credential.expires_at) if credential.expires_at is not None else None,
        "description": credential.description,
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _list(output: str, titles: Sequence[str], found: Sequence[Shown]) -> None:
    if output == "json":
        click.echo(json.dumps(list(found)))
    else:
        table.show(titles, [[_cell(each[title]) for title in titles] for each in found])


def _show(output: str, found: Shown) -> None:
    if output == "json":
        click.echo(json.dumps(found))
    else:
        table.show(("field", "value"), [(name, _cell(value)) for name, value in found.items()])


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
