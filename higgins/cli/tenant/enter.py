"""`higgins exec` and `attach`: sessions in containers that run."""

import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import click

from higgins import errors
from higgins.cli import trouble
from higgins.cli.tenant import completion, examples, habits, names, session, terminal
from higgins.cli.tenant.console import Console, Detached, Ended, Manner
from higgins.client.cloud import Cloud, Document, path
from higgins.client.connection import Lost

_WORDS = {"ignore_unknown_options": False, "allow_interspersed_args": False}
detach_keys = click.option(
    "--detach-keys", default=terminal.DETACH, show_default=True, help="The keys that leave a session and let it go on."
)


@click.command(
    "exec",
    cls=trouble.Relaying,
    context_settings=_WORDS,
    epilog=examples.of(
        "higgins exec web ls -l /tmp",
        "higgins exec -it web sh",
        "higgins exec -i db psql < dump.sql",
        "higgins exec -d web sh -c 'sleep 60; touch /tmp/late'",
    ),
)
@click.option("-d", "--detach", is_flag=True, help="Only begin it: nobody hears it, and it goes on by itself.")
@click.option("-i", "--interactive", is_flag=True, help="Give the command this standard input.")
@click.option("-t", "--tty", is_flag=True, help="Give it a terminal.")
@detach_keys
@habits.refused("-e", "--env", why="the API has no word for it; begin the command with: env NAME=VALUE")
@habits.refused("-w", "--workdir", why="the API has no word for it; use: sh -c 'cd DIRECTORY && COMMAND'")
@habits.refused("-u", "--user", why="the API has no word for it; use: su USER -c COMMAND")
@click.argument("container", shell_complete=completion.containers)
@click.argument("command", nargs=-1, required=True)
def exec_(
    container: str, command: Sequence[str], *, detach: bool, interactive: bool, tty: bool, detach_keys: str
) -> None:
    """Run a command in a container that runs; its exit code is the exit status."""
    if detach:
        # Nobody is there who could give it an input.
        cloud, begun = session.cloud(), {"command": shlex.join(command), "detach": True, "tty": tty}
        names.act(cloud, container, lambda name: cloud.post(path("containers", name, "execute"), None, begun))
        return
    check_terminal(interactive=interactive, tty=tty)
    with trouble.usage():
        manner = Manner(stdin=interactive, tty=tty, detach_keys=terminal.keys(detach_keys))
    cloud = session.cloud()
    body = {"command": shlex.join(command), "run": False, "interactive": True, "tty": tty, "stdin": interactive}
    opened = names.act(cloud, container, lambda name: cloud.post(path("containers", name, "execute"), None, body))
    match Console(cloud, opened["proxy_url"], manner).hold():
        case Ended(exit_code=None):
            raise Lost(f"the session in {container} ended, and how the command ended is not known")
        case Ended(exit_code=code):
            sys.exit(code)


@click.command(cls=trouble.Relaying, epilog=examples.of("higgins attach web", "higgins attach --no-stdin web"))
@click.option("--no-stdin", is_flag=True, help="Only watch.")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Pass signals on to the container.  [default: on]")
@detach_keys
@click.argument("container", shell_complete=completion.containers)
def attach(container: str, *, no_stdin: bool, sig_proxy: bool, detach_keys: str) -> None:
    """Be at the input and output of a container that runs; leave with Ctrl-P Ctrl-Q."""
    with trouble.usage():
        leaving = terminal.keys(detach_keys)
    cloud = session.cloud()
    shown = names.act(cloud, container, lambda name: cloud.get(path("containers", name)))
    if shown["status"] not in ("Running", "Paused"):
        failure = errors.Conflict(f"{container} does not run: it is {shown['status']}")
        failure.add_note(f"Start it: higgins start {container}   What it printed: higgins logs {container}")
        raise failure
    manner = Manner(
        stdin=bool(shown["interactive"]) and not no_stdin,
        tty=bool(shown["tty"]),
        detach_keys=leaving,
    )
    there = console(cloud, shown, manner)
    if manner.tty and (size := terminal.size()):
        # What runs there draws its window anew when the size changes, and who comes later sees more than a blank one. The session sets it back.
        width, height = size
        # One that has just ended, or rests, draws nothing.
        with suppress(errors.Invalid, errors.Conflict):
            cloud.post(path("containers", shown["uuid"], "resize"), {"w": width + 1, "h": height + 1})
    sys.exit(stay(cloud, shown, there, sig_proxy=sig_proxy))


def console(cloud: Cloud, shown: Document, manner: Manner) -> Console:
    """A session at a container itself."""
    url = cloud.get(path("containers", shown["uuid"], "attach"), {"stdin": manner.stdin, "logs": False})
    return Console(cloud, url, manner)


def stay(cloud: Cloud, shown: Document, session: Console, *, sig_proxy: bool) -> int | None:
    """Until it is over: the exit code of the container; None if it goes on."""
    try:
        outcome = session.hold(_proxy(cloud, shown) if sig_proxy else None)
    except Lost as lost:
        name = shown["name"]
        lost.add_note(f"Is it still there: higgins ps -a   Back to it: higgins attach {name}")
        raise
    match outcome:
        case Detached():
            click.echo(f"\r\n{shown['name']} goes on; back to it: higgins attach {shown['name']}", err=True)
            return None
        case Ended(exit_code=None):
            found = cloud.get(path("containers", shown["uuid"]))
            if found.get("exit_code") is None:
                raise Lost(f"the session at {shown['name']} ended, and the container is {found['status']}")
            return int(found["exit_code"])
        case Ended(exit_code=code):
            return code


def _proxy(cloud: Cloud, shown: Document) -> Callable[[str], None]:
    """Passes signals on; one that comes too late is of no use to anybody."""

    def send(name: str) -> None:
        try:
            cloud.post(path("containers", shown["uuid"], "kill"), {"signal": name})
        except (errors.Conflict, errors.NotFound):
            return

    return send


def check_terminal(*, interactive: bool, tty: bool, flag: str = "-t") -> None:
    """Raises UsageError, with the flag that asked for too much, where keys are to be pressed and there are none."""
    if interactive and tty and not sys.stdin.isatty():
        raise click.UsageError(f"Standard input is no terminal: leave out {flag}.")
