"""`higgins login`, `logout` and `whoami`."""

import os
import platform
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from higgins import errors
from higgins.cli.tenant import credentials, examples, kept, output, session
from higgins.client.connection import Trust
from higgins.client.identity import ApplicationCredential, HeldToken, Login, Named, Password, Session

LIFETIME = timedelta(days=90)
"""Of the application credential that a login makes."""


@click.command(
    epilog=examples.of(
        "higgins login https://containers.example.org",
        "higgins login -u martha --project garden --password-stdin http://127.0.0.1:9517 < password",
    )
)
@click.argument("url", required=False)
@click.option("-u", "--username", help="Who logs in; asked for if it is not given.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.option("--project", help="Which project to work in; asked for if there are several.")
@click.option("--user-domain", metavar="DOMAIN", help="The domain of the user.  [default: Default]")
@click.option("--project-domain", metavar="DOMAIN", help="The domain of the project.  [default: Default]")
@click.option("--region", help="The region whose service is used, where there are several.")
@click.option(
    "--cacert",
    type=click.Path(),
    metavar="FILE",
    help="Certificates by which the server is trusted, instead of the system's.",
)
@click.option("--insecure", is_flag=True, help="Trust the server whoever it is.")
def login(
    url: str | None,
    *,
    username: str | None,
    password_stdin: bool,
    project: str | None,
    user_domain: str | None,
    project_domain: str | None,
    region: str | None,
    cacert: str | None,
    insecure: bool,
) -> None:
    """Log in at URL, and save the login for the commands to come.

    URL is the address of a Keystone, or of Higgins itself. The password is not saved: what is saved is an application
    credential of this machine's own, good for 90 days, or a token where the server gives no such credentials.
    """
    previous = kept.login() or {}
    auth = previous.get("auth") or {}
    trust = Trust(authorities=os.path.abspath(cacert) if cacert else None, verify=not insecure)
    url = url or os.environ.get("OS_AUTH_URL") or auth.get("auth_url") or _asked("URL")
    door = Login.at(url if "://" in url else f"https://{url}", trust)
    user = Named(name=username or _asked("Name", previous.get("user")), domain_name=user_domain)
    password = _password(from_stdin=password_stdin)
    wanted = Named(name=project, domain_name=project_domain) if project else _chosen(door, user, password)
    opened = Login(door.url, trust, region=region).log_in(Password(user=user, password=password, project=wanted))
    _forget_previous(door, opened, auth)
    document = {"auth_url": door.url, **_lasting(door, opened)}
    saved = {
        "auth": document,
        "user": opened.user,
        "project": opened.project,
        "region_name": region,
        "cacert": trust.authorities,
        "verify": trust.verify,
    }
    where = kept.save_login(saved)
    found = credentials.from_cloud(saved, "higgins login")
    if not isinstance(found.proof, HeldToken):
        kept.remember(found.key, None)
    click.echo(f"Logged in as {opened.user} in {opened.project} ({', '.join(opened.roles)}).")
    if "token" in document:
        until = datetime.fromtimestamp(opened.expires_at).astimezone()
        click.echo(f"Good until {until:%H:%M}, saved in {where}", err=True)
    else:
        click.echo(f"Good for {LIFETIME.days} days, saved in {where}", err=True)
    if os.environ.get("OS_CLOUD") or os.environ.get("OS_AUTH_URL"):
        click.echo("But OS_* is set in this shell, and comes first: unset OS_CLOUD OS_AUTH_URL", err=True)


@click.command(epilog=examples.of("higgins logout"))
def logout() -> None:
    """End the login that `higgins login` made, here and at the server."""
    saved = kept.login()
    if saved is None:
        click.echo("Nobody is logged in here.", err=True)
        return
    found = credentials.from_cloud(saved, "higgins login")
    door = Login(found.auth_url, found.trust)
    left = None
    try:
        current = session.opened(found).session
        if isinstance(found.proof, ApplicationCredential) and found.proof.id:
            left = _forgotten(door, current, found.proof.id)
        door.log_out(current)
    except (errors.Unauthenticated, errors.Unavailable, errors.NotFound):
        # It is worth nothing any more, or cannot be reached: here it is forgotten all the same.
        pass
    kept.remember(found.key, None)
    kept.forget_login()
    click.echo("Logged out.")
    if left:
        click.echo(
            f"The application credential {left} stays good until it expires; `openstack application credential delete {left}` ends it.",
            err=True,
        )


@click.command(epilog=examples.of("higgins whoami", "higgins whoami -o json"))
@output.option()
def whoami(output_as: str) -> None:
    """Tell who is logged in, where, and what for."""
    found = credentials.found()
    cloud = session.opened(found)
    cloud.get("/containers", {"limit": 1})
    current = cloud.session
    shown = {
        "user": current.user,
        "project": current.project,
        "roles": list(current.roles),
        "login": found.auth_url,
        "service": current.endpoint,
        "version": ".".join(map(str, cloud.version)),
        "expires": datetime.fromtimestamp(current.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "source": found.source,
    }
    output.one(output_as, shown, name=current.user)


def _asked(what: str, default: str | None = None) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what} is needed, and nobody can be asked for it: standard input is no terminal.")
    return str(click.prompt(what, default=default, err=True))


def _password(*, from_stdin: bool) -> str:
    if from_stdin or not sys.stdin.isatty():
        if password := sys.stdin.readline().rstrip("\r\n"):
            return password
        raise click.UsageError("There is no password on standard input.")
    return str(click.prompt("Password", hide_input=True, err=True))


def _chosen(door: Login, user: Named, password: str) -> Named:
    """The only project, or the one that is picked from the list."""
    unscoped = door.log_in(Password(user=user, password=password, project=None))
    if unscoped.project_id:
        return Named(id=unscoped.project_id)
    found: Sequence[Mapping[str, Any]] = door.projects(unscoped)
    if not found:
        failure = errors.Forbidden(f"{unscoped.user} has no project to work in")
        failure.add_note(f"Ask an operator: higgins role grant member --user {unscoped.user} --project PROJECT")
        raise failure
    if len(found) == 1:
        return Named(id=found[0]["id"])
    names = sorted(project["name"] for project in found)
    if not sys.stdin.isatty():
        raise click.UsageError(f"Say which project with --project: {', '.join(names)}.")
    picked = click.prompt("Project", type=click.Choice(names), err=True)
    return Named(id=next(project["id"] for project in found if project["name"] == picked))


def _lasting(door: Login, opened: Session) -> dict[str, Any]:
    """What is saved instead of the password."""
    name = f"higgins-{platform.node()[:100]}-{secrets.token_hex(4)}"
    try:
        made = door.make_credential(opened, name, datetime.now(UTC) + LIFETIME)
    except errors.Failure:
        # Not every server gives them, and not everybody may have them: then it lasts as long as the token.
        return {"token": opened.token}
    door.log_out(opened)
    return {
        "application_credential_id": made.id,
        "application_credential_name": made.name,
        "application_credential_secret": made.secret,
    }


def _forget_previous(door: Login, opened: Session, auth: Mapping[str, Any]) -> None:
    """What an earlier login left at the same server is of no use any more."""
    credential = auth.get("application_credential_id")
    if credential and auth.get("auth_url") == door.url:
        try:
            door.forget_credential(opened, credential)
        except errors.Failure:
            # It has expired, or was another user's: then it ends by itself.
            pass


def _forgotten(door: Login, current: Session, credential: str) -> str | None:
    """None if the server has forgotten it; else what to call it."""
    try:
        door.forget_credential(current, credential)
    except errors.Forbidden:
        return credential
    return None
