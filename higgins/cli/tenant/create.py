"""`higgins run` and `create`."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import Any, NoReturn

import click

from higgins import errors
from higgins.cli import trouble
from higgins.cli.tenant import (
    completion,
    dryrun,
    enter,
    examples,
    habits,
    moments,
    mounting,
    networks,
    placing,
    ports,
    progress,
    security_groups,
    session,
    sizes,
    state,
    terminal,
    waiting,
)
from higgins.cli.tenant.console import Manner
from higgins.client.cloud import Cloud, Document, path

_PULLS = {"always": "always", "missing": "ifnotpresent", "never": "never"}
_STARTED = ("Running", "Stopped", "Paused", "Restarting")
_LOOKS = 1.0
"""Seconds between two looks at how far an image is."""

_by_name = "containers on one network (--network) find each other by name, and the world as their host does"
_NO_WORD = (
    "--cap-add", "--cap-drop", "--security-opt", "--device", "--gpus", "--ulimit", "--shm-size", "--init", "--read-only",
    "--no-healthcheck", "--platform", "--stop-signal", "--stop-timeout", "--log-driver",
)  # fmt: skip
_OPTIONS = (
    click.option("--name", help="Its name; one is made up by default."),
    click.option("-i", "--interactive", is_flag=True, help="Keep its standard input open."),
    click.option("-t", "--tty", is_flag=True, help="Give it a terminal."),
    click.option("--rm", "remove", is_flag=True, help="Remove it when it has ended."),
    click.option("-e", "--env", "variables", multiple=True, metavar="NAME[=VALUE]", help="Set a variable; without a value, the one from here."),
    click.option("--env-file", "env_files", type=click.Path(), multiple=True, metavar="FILE", help="Set the variables of a file, one NAME=VALUE a line."),
    click.option("-l", "--label", "labels", multiple=True, metavar="NAME[=VALUE]", help="A label."),
    click.option("-w", "--workdir", metavar="DIRECTORY", help="Where its command begins."),
    click.option("-h", "--hostname", help="Its host name."),
    click.option("--entrypoint", metavar="PROGRAM", help="Instead of the image's entry point."),
    click.option("-m", "--memory", metavar="SIZE", help="How much memory it may use, such as 512m or 1g."),
    click.option("--cpus", type=float, metavar="N", help="How many cores it may use, such as 0.5."),
    click.option("--disk", metavar="SIZE", help="How much it may write, such as 10g."),
    *mounting.OPTIONS,
    click.option("--restart", metavar="POLICY", help="When it is started again: no, on-failure[:N], always or unless-stopped."),
    click.option("--auto-heal", is_flag=True, help="Make it anew when it stays unhealthy."),
    click.option("--health-cmd", metavar="COMMAND", help="What tells whether it is well, run in it by a shell."),
    click.option("--health-interval", metavar="TIME", help="How often that is run, such as 30s."),
    click.option("--health-timeout", metavar="TIME", help="How long that may take."),
    click.option("--health-retries", type=click.IntRange(min=1), metavar="N", help="How often that has to fail until it is unhealthy."),
    click.option("--pull", type=click.Choice(tuple(_PULLS)), help="When its image is fetched."),
    click.option("--privileged", is_flag=True, help="Let it do everything on its host; where that is allowed."),
    click.option("--runtime", metavar="NAME", help="By which runtime it is run, such as runc or runsc."),
    click.option("--registry", metavar="NAME", help="Fetch its image with the password of this stored registry."),
    click.option("--zone", "availability_zone", help="In which availability zone it runs."),
    click.option("--host", help="On which host it runs; for operators."),
    click.option("--hint", "hints", multiple=True, metavar="NAME=VALUE", help="A word to the scheduler."),
    *networks.OPTIONS,
    *ports.OPTIONS,
    *security_groups.OPTIONS,
    *dryrun.OPTIONS,
    click.option("--cidfile", type=click.Path(path_type=Path), metavar="FILE", help="Write its id there; the file must not exist."),
    *(habits.refused(flag, why=_by_name) for flag in ("--add-host", "--dns", "--link")),
    *(habits.refused(flag, why="the API has no word for it") for flag in _NO_WORD),
    habits.refused("-u", "--user", why="the API has no word for it; it is the user that the image names"),
    click.argument("image", shell_complete=completion.images),
    click.argument("command", nargs=-1),
)  # fmt: skip


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """What `run` and `create` have in common."""
    return reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), command)


@click.command(
    cls=trouble.Relaying,
    context_settings={"allow_interspersed_args": False},
    epilog=examples.of("higgins create --name web busybox sleep 600", "higgins start web"),
)
@_options
def create(**asked: Any) -> None:
    """Make a container, and do not start it. Prints its id."""
    with trouble.usage():
        dryrun.check(asked)
        wanted = body(asked)
    if asked["dry_run"]:
        cloud = session.cloud()
        dryrun.end(cloud, mounting.foreseen(cloud, wanted), asked["output_as"], run=False)
    cloud = session.cloud()
    made = _made(cloud, wanted, asked["cidfile"], run=False)
    _awaited(cloud, made, ("Created",))
    click.echo(made["uuid"])


@click.command(
    cls=trouble.Relaying,
    context_settings={"allow_interspersed_args": False},
    epilog=examples.of(
        "higgins run --rm busybox echo hello",
        "higgins run -it --rm busybox sh",
        "higgins run -d --name web -m 256m --cpus 0.5 busybox sleep 600",
        "higgins run -d -p 8080:80 busybox httpd -f",
        "higgins run --dry-run -m 64g busybox",
    ),
)
@click.option("-d", "--detach", is_flag=True, help="Do not stay with it: print its id when it runs.")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Pass signals on to it.  [default: on]")
@enter.detach_keys
@_options
def run(*, detach: bool, sig_proxy: bool, detach_keys: str, **asked: Any) -> None:
    """Make a container from IMAGE and start it; its exit code is the exit status.

    With -it this terminal is its terminal; Ctrl-P Ctrl-Q leaves it and lets it go on.
    """
    with trouble.usage():
        manner = Manner(stdin=asked["interactive"], tty=asked["tty"], detach_keys=terminal.keys(detach_keys))
        dryrun.check(asked)
        wanted = body(asked)
    if asked["dry_run"]:
        cloud = session.cloud()
        dryrun.end(cloud, mounting.foreseen(cloud, wanted), asked["output_as"], run=True)
    if detach:
        cloud = session.cloud()
        made = _made(cloud, wanted, asked["cidfile"], run=True)
        _awaited(cloud, made, _STARTED)
        click.echo(made["uuid"])
        return
    enter.check_terminal(interactive=asked["interactive"], tty=asked["tty"])
    cloud = session.cloud()
    made = _made(cloud, wanted, asked["cidfile"], run=False)
    _awaited(cloud, made, ("Created",))
    state.attended(cloud, made, manner, lambda: _awaited(cloud, made, _STARTED), sig_proxy=sig_proxy)


def body(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The request that the options amount to; what was not said is not in it. Raises Invalid."""
    if asked["remove"] and asked["restart"] not in (None, "no"):
        raise errors.Invalid("--rm and --restart exclude each other: what is removed cannot be started again")
    whole = {
        "image": asked["image"],
        "name": asked["name"],
        "command": list(asked["command"]),
        "entrypoint": [asked["entrypoint"]] if asked["entrypoint"] else None,
        "environment": variables(asked["env_files"], asked["variables"]),
        "labels": pairs(asked["labels"]),
        "workdir": asked["workdir"],
        "hostname": asked["hostname"],
        "interactive": asked["interactive"] or None,
        "tty": asked["tty"] or None,
        "auto_remove": asked["remove"] or None,
        "auto_heal": asked["auto_heal"] or None,
        "cpu": asked["cpus"],
        "memory": sizes.mebibytes(asked["memory"]) if asked["memory"] else None,
        "disk": -(-sizes.mebibytes(asked["disk"]) // 1024) if asked["disk"] else None,
        "restart_policy": restart_policy(asked["restart"]) if asked["restart"] else None,
        "healthcheck": _healthcheck(asked),
        "mounts": mounting.mounts(asked["volumes"], asked["memory_mounts"], asked["described"]),
        "image_pull_policy": _PULLS[asked["pull"]] if asked["pull"] else None,
        "privileged": asked["privileged"] or None,
        "runtime": asked["runtime"],
        "registry": asked["registry"],
        "availability_zone": asked["availability_zone"],
        "host": asked["host"],
        "hints": pairs(asked["hints"]),
        "nets": networks.wishes(asked["networks"], asked["address"]),
        "published_ports": ports.wishes(asked["publish"]),
        "exposed_ports": ports.exposed(asked["expose"]),
        "security_groups": list(asked["security_groups"]),
    }
    return {name: value for name, value in whole.items() if value not in (None, [], {})}


def variables(files: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Those of the files, then those that were given, where the last word counts. Raises Invalid for a file that cannot be read."""
    lines: list[str] = []
    for file in files:
        try:
            text = Path(file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise errors.Invalid(f"the file of variables {file} cannot be read: {error}") from error
        lines += [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: dict[str, str] = {}
    for each in (*lines, *given):
        name, is_given, value = each.lstrip().partition("=")
        if not name:
            raise errors.Invalid(f"{each!r} is no variable: it looks like NAME=VALUE")
        if is_given:
            found[name] = value
        elif name in os.environ:
            found[name] = os.environ[name]
    return found


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Names and values; a name alone has an empty value."""
    return {name: value for name, _, value in (each.partition("=") for each in given)}


def restart_policy(text: str) -> dict[str, str]:
    """As docker writes it: `on-failure:3`. Raises Invalid."""
    name, counted, count = text.partition(":")
    if name not in ("no", "always", "on-failure", "unless-stopped") or (counted and not count.isdigit()):
        raise errors.Invalid(f"{text!r} is no restart policy: it is no, on-failure[:N], always or unless-stopped")
    return {"Name": name, **({"MaximumRetryCount": count} if counted else {})}


def _healthcheck(asked: Mapping[str, Any]) -> dict[str, Any] | None:
    said = {
        "interval": _seconds(asked["health_interval"]),
        "timeout": _seconds(asked["health_timeout"]),
        "retries": asked["health_retries"],
    }
    known = {name: value for name, value in said.items() if value is not None}
    if asked["health_cmd"]:
        return {"cmd": asked["health_cmd"], **known}
    if known:
        raise errors.Invalid(f"--health-{next(iter(known))} needs a --health-cmd")
    return None


def _seconds(text: str | None) -> int | None:
    return None if text is None else max(1, round(moments.span(text)))


def _made(cloud: Cloud, wanted: Mapping[str, Any], cidfile: Path | None, *, run: bool) -> Document:
    with ExitStack() as undone:
        if cidfile is not None:
            # Before anything is made whose id would then not be known.
            _noted(cidfile, lambda: cidfile.touch(exist_ok=False))
            undone.callback(cidfile.unlink)
        mounting.ensure(cloud, wanted)
        made = placing.asked(cloud, {"run": run}, wanted)
        undone.pop_all()
    if cidfile is not None:
        _noted(cidfile, lambda: cidfile.write_text(made["uuid"]))
    return made


def _noted(cidfile: Path, act: Callable[[], object]) -> None:
    try:
        act()
    except OSError as error:
        raise errors.Invalid(f"the id cannot be written to {cidfile}: {error.strerror}") from error


def _awaited(cloud: Cloud, made: Document, goals: Sequence[str]) -> None:
    """Until it is there, with what it waits for in sight. Whoever interrupts that does not want it any more: it is removed."""
    try:
        with progress.Line(f"{made['name']}: {made['image']}") as line:
            found = waiting.until(cloud, made["uuid"], goals, watch=line.fetching, every=_LOOKS)
    except KeyboardInterrupt:
        cloud.delete(path("containers", made["uuid"]), {"stop": True})
        waiting.gone(cloud, made["uuid"])
        click.echo(f"\nInterrupted: {made['name']} is removed.", err=True)
        sys.exit(trouble.INTERRUPTED)
    if found is not None and found["status"] == "Error":
        _give_up(cloud, made, found)


def _give_up(cloud: Cloud, made: Document, found: Document) -> NoReturn:
    """It did not come about: say why, with the exit status that a shell would have. One that was to be removed in the end is removed."""
    reason = str(found.get("status_reason") or "")
    failure = waiting.failure(found)
    if made["auto_remove"]:
        cloud.delete(path("containers", made["uuid"]), {"stop": True})
        waiting.gone(cloud, made["uuid"])
        failure = errors.Conflict(f"{made['name']}: {reason.removesuffix('.')}")
    trouble.tell(failure)
    sys.exit(exit_status(reason))


def exit_status(reason: str) -> int:
    """127 for a command that is not there, 126 for one that cannot be run, else that of our own failures."""
    words = reason.lower()
    if "permission denied" in words or "is a directory" in words or "exec format error" in words:
        return 126
    if "was not found in the image" in words or "executable file not found" in words:
        return 127
    return trouble.OURS
