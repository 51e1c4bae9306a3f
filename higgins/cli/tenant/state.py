"""The commands that change a container's state, each for several at once: `start`, `stop`, `restart`, `kill`, `pause`, `unpause`, `rm`, `wait`."""

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NoReturn

import click

from higgins import errors
from higgins.cli import trouble
from higgins.cli.tenant import completion, enter, examples, habits, names, session, several, terminal, waiting
from higgins.cli.tenant.console import Manner
from higgins.client.cloud import Cloud, Document, path

_several = click.argument(
    "containers", metavar="CONTAINER...", nargs=-1, required=True, shell_complete=completion.containers
)
_timeout = click.option(
    "-t", "--time", "--timeout", "timeout", type=click.IntRange(min=0), metavar="SECONDS",
    help="How long it may take to end by itself before it is killed.  [default: 10]",
)  # fmt: skip
ENDED = ("Stopped",)
_STARTED = ("Running", *ENDED)


@click.command(epilog=examples.of("higgins start web db", "higgins start -ai shell"))
@click.option("-a", "--attach", is_flag=True, help="Stay with it: its output, and its exit code as the exit status.")
@click.option("-i", "--interactive", is_flag=True, help="The same, and give it this standard input.")
@enter.detach_keys
@_several
def start(containers: Sequence[str], *, attach: bool, interactive: bool, detach_keys: str) -> None:
    """Start containers that do not run.

    With -a or -i one alone, from its first word on; Ctrl-P Ctrl-Q leaves it and lets it go on.
    """
    if not attach and not interactive:
        _change(containers, "start", {}, _STARTED, already=("Running",))
        return
    with trouble.usage():
        leaving = terminal.keys(detach_keys)
    if len(set(containers)) > 1:
        raise click.UsageError("With -a or -i it is one container: nobody can be at several at once.")
    cloud = session.cloud()
    given = containers[0]
    shown = names.act(cloud, given, lambda name: cloud.get(path("containers", name)))
    manner = Manner(stdin=interactive and bool(shown["interactive"]), tty=bool(shown["tty"]), detach_keys=leaving)
    enter.check_terminal(interactive=manner.stdin, tty=manner.tty, flag="-i")
    with names.refusals(given):
        attended(cloud, shown, manner, lambda: _settled(cloud, shown["uuid"], _STARTED), sig_proxy=True)


def attended(
    cloud: Cloud, shown: Document, manner: Manner, awaited: Callable[[], None], *, sig_proxy: bool
) -> NoReturn:
    """Start it, which `awaited` waits for, with somebody at it; then end with its exit code, or with 0 if it goes on."""
    # Attached before it is started: nothing that it prints is lost.
    console = enter.console(cloud, shown, manner)
    asked(cloud, shown["uuid"], "start", already=("Running",))
    awaited()
    code = enter.stay(cloud, shown, console, sig_proxy=sig_proxy)
    if code is not None and shown["auto_remove"]:
        try:
            waiting.gone(cloud, shown["uuid"])
        except errors.Failure as failure:
            trouble.tell(failure)
    sys.exit(code)


@click.command(epilog=examples.of("higgins stop web", "higgins stop -t 30 web db"))
@_timeout
@_several
def stop(containers: Sequence[str], timeout: int | None) -> None:
    """Stop containers: ask them to end, and kill them if they do not."""
    _change(containers, "stop", {"timeout": timeout}, ENDED, already=(*ENDED, "Created"))


@click.command(epilog=examples.of("higgins restart -t 0 web"))
@_timeout
@_several
def restart(containers: Sequence[str], timeout: int | None) -> None:
    """Stop containers and start them again."""
    _change(containers, "reboot", {"timeout": timeout}, ("Running", *ENDED))


@click.command(epilog=examples.of("higgins kill web", "higgins kill -s HUP web"))
@click.option("-s", "--signal", default="SIGKILL", show_default=True, help="A name such as HUP or SIGHUP, or a number.")
@_several
def kill(containers: Sequence[str], signal: str) -> None:
    """Send a signal to the first process of containers."""
    deadly = signal.upper() in ("SIGKILL", "KILL", "9")
    _change(containers, "kill", {"signal": signal.upper()}, ENDED if deadly else None)


@click.command(epilog=examples.of("higgins pause web"))
@_several
def pause(containers: Sequence[str]) -> None:
    """Freeze containers: their processes stand still."""
    _change(containers, "pause", {}, ("Paused", *ENDED), already=("Paused",))


@click.command(epilog=examples.of("higgins unpause web"))
@_several
def unpause(containers: Sequence[str]) -> None:
    """Let frozen containers go on."""
    _change(containers, "unpause", {}, ("Running", *ENDED), already=("Running",))


@click.command(epilog=examples.of("higgins rm web", "higgins rm -f web db"))
@click.option("-f", "--force", is_flag=True, help="Those too that run: they are killed.")
@habits.needless("-v", "--volumes")
@_several
def rm(containers: Sequence[str], *, force: bool) -> None:
    """Remove containers that do not run."""
    cloud = session.cloud()

    def remove(name: str) -> str:
        if force:
            _forced(cloud, name)
        else:
            _removed(cloud, name)
        return name

    several.together(containers, lambda given: names.act(cloud, given, remove), lambda name: waiting.gone(cloud, name))


@click.command(cls=trouble.Relaying, epilog=examples.of("higgins wait job && echo well done"))
@_several
def wait(containers: Sequence[str]) -> None:
    """Wait until containers have ended, and print the exit code of each.

    The exit status is that of the first that did not end with 0.
    """
    cloud = session.cloud()
    status = 0
    for given in containers:
        shown = names.act(cloud, given, lambda name: cloud.get(path("containers", name)))
        code = ended(cloud, shown)
        click.echo(code)
        status = status or code
    sys.exit(status)


def ended(cloud: Cloud, shown: Document) -> int:
    """The exit code with which it ends; 0 for one that never ran. Raises Conflict if that cannot be known."""
    found = waiting.until(cloud, shown["uuid"], (*ENDED, "Created"), every=600)
    if found is None:
        raise errors.Conflict(f"{shown['name']} was removed while it was waited for: how it ended is not known")
    code = found.get("exit_code")
    if code is not None:
        return int(code)
    if found["status"] == "Error":
        raise waiting.failure(found)
    return 0


def _change(
    containers: Sequence[str],
    verb: str,
    query: Mapping[str, object],
    goals: Collection[str] | None,
    *,
    already: Collection[str] = (),
) -> None:
    """Ask all of them first, then wait for each; a state in which there is nothing to do is fine."""
    cloud = session.cloud()

    def ask(name: str) -> str:
        asked(cloud, name, verb, query, already)
        return name

    def settle(name: str) -> None:
        if goals is not None:
            _settled(cloud, name, goals)

    several.together(containers, lambda given: names.act(cloud, given, ask), settle)


def asked(
    cloud: Cloud, name: str, verb: str, query: Mapping[str, object] | None = None, already: Collection[str] = ()
) -> None:
    """Ask for a verb; succeeds where it is `already` so."""
    try:
        cloud.post(path("containers", name, verb), query)
    except errors.Conflict:
        if cloud.get(path("containers", name))["status"] not in already:
            raise


def _settled(cloud: Cloud, name: str, goals: Collection[str]) -> None:
    found = waiting.until(cloud, name, goals)
    if found is not None and found["status"] == "Error":
        raise waiting.failure(found)


def _removed(cloud: Cloud, name: str) -> None:
    try:
        cloud.delete(path("containers", name))
    except errors.Conflict as refusal:
        refusal.add_note(f"Stop it first (higgins stop {name}), or kill and remove it: higgins rm -f {name}")
        raise


def _forced(cloud: Cloud, name: str) -> None:
    """Whatever it is at."""
    shown = cloud.get(path("containers", name))
    if shown["status"] == "Paused":
        asked(cloud, name, "unpause", already=("Running",))
        waiting.until(cloud, name, ("Running", *ENDED))
    if shown["status"] in ("Running", "Paused"):
        asked(cloud, name, "kill", {"signal": "SIGKILL"}, already=ENDED)
    cloud.delete(path("containers", name), {"stop": True})
