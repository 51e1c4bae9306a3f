"""The `higgins` command: names its subcommands, and imports one only when it is called."""

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import click
from click.shell_completion import CompletionItem

from higgins import __version__, errors
from higgins.cli import meant, trouble

_T = "higgins.cli.tenant."

SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Containers": {
        "run": (_T + "create:run", "Make a container and start it."),
        "create": (_T + "create:create", "Make a container."),
        "ps": (_T + "ps:ps", "List containers."),
        "logs": (_T + "logs:logs", "Show what a container has printed."),
        "exec": (_T + "enter:exec_", "Run a command in a container."),
        "attach": (_T + "enter:attach", "Be at a container's input and output."),
        "start": (_T + "state:start", "Start containers."),
        "stop": (_T + "state:stop", "Stop containers."),
        "restart": (_T + "state:restart", "Stop containers and start them again."),
        "kill": (_T + "state:kill", "Send a signal to containers."),
        "pause": (_T + "state:pause", "Freeze containers."),
        "unpause": (_T + "state:unpause", "Let frozen containers go on."),
        "wait": (_T + "state:wait", "Wait until containers have ended, and tell how."),
        "rm": (_T + "state:rm", "Remove containers."),
        "rename": (_T + "change:rename", "Give a container another name."),
        "update": (_T + "change:update", "Change what containers may use."),
        "rebuild": (_T + "change:rebuild", "Make containers anew, from the same image or another."),
        "inspect": (_T + "ps:inspect", "Show all that is known of containers."),
        "history": (_T + "history:history", "Show what was asked of a container, step by step."),
        "port": (_T + "ports:port", "Show which ports of its host lead to a container."),
        "stats": (_T + "stats:stats", "Watch what containers use."),
        "top": (_T + "stats:top", "Show the processes of a container."),
        "cp": (_T + "cp:cp", "Copy files into and out of containers."),
        "capsule": (_T + "capsules:capsule", "Several containers as one: apply, ls, show, rm."),
        "volume": (_T + "volumes:volume", "Directories that outlive containers: create, ls, show, rm."),
        "network": (_T + "networks:network", "Networks: create, ls, show, rm, attach, detach."),
        "security-group": (
            _T + "security_groups:security_group",
            "What may come in: create, ls, show, rm, attach, detach.",
        ),
        "events": (_T + "events:events", "Watch what happens."),
        "quota": (_T + "quota:quota", "How much a project may have, and has: show, set, unset."),
    },
    "Images": {
        "images": (_T + "images:images", "List images."),
        "pull": (_T + "images:pull", "Fetch an image."),
        "rmi": (_T + "images:rmi", "Remove images."),
        "search": (_T + "images:search", "Look for images in a registry."),
        "commit": (_T + "images:commit", "Make an image of what a container is now."),
        "registry": (_T + "registries:registry", "Registries with stored passwords: add, list, remove."),
    },
    "Login": {
        "login": (_T + "login:login", "Log in."),
        "logout": (_T + "login:logout", "Forget the login."),
        "whoami": (_T + "login:whoami", "Tell who is logged in, where, and what for."),
        "completion": (_T + "completion:completion", "Print what completes commands and names in a shell."),
    },
    "For operators": {
        "all-in-one": ("higgins.cli.all_in_one:all_in_one", "Run the control plane and one agent in one process."),
        "serve": ("higgins.cli.serve:serve", "Run the control plane."),
        "agent": ("higgins.cli.agent:agent", "Run the agent of this host."),
        "status": ("higgins.cli.status:status", "Tell what is up."),
        "host": ("higgins.cli.hosts:host", "Hosts: let one join, list, enable, disable, remove."),
        "user": ("higgins.cli.identity:user", "Users of the local identity."),
        "project": ("higgins.cli.identity:project", "Projects of the local identity."),
        "role": ("higgins.cli.identity:role", "Who has which role in which project."),
        "db": ("higgins.cli.database:db", "The database: bring it up to date, tell its version."),
        "config": ("higgins.cli.config:config", "The configuration: all there is to set, and what is in force."),
    },
}
COMMANDS = {name: about for section in SECTIONS.values() for name, about in section.items()}


class Lazy(click.Group):
    """A group whose subcommands are known by a table, so that telling what there is costs no imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        return cast(click.Command, getattr(importlib.import_module(module), name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # A shell that completes has typed half of it, and wants to hear nothing of that.
        if not ctx.resilient_parsing and args and args[0] not in COMMANDS and not args[0].startswith("-"):
            question = meant.question(args[0], COMMANDS, likeness=0.5)
            raise click.UsageError(f"No such command '{args[0]}'. {question}".rstrip(), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, purpose) for name, (_, purpose) in section.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # The usual way asks every command whether it is hidden, and imports all of them for that.
        return [
            CompletionItem(name, help=purpose) for name, (_, purpose) in COMMANDS.items() if name.startswith(incomplete)
        ]


@click.group(cls=Lazy, context_settings={"max_content_width": 110})
@click.version_option(__version__, message="%(version)s")
@click.option(
    "--config-file",
    type=click.Path(path_type=Path),
    multiple=True,
    envvar="HIGGINS_CONFIG",
    help="For operators: configuration file instead of /etc/higgins/higgins.conf; may be repeated, a later one wins.",
)
def higgins(config_file: tuple[Path, ...]) -> None:
    """Runs containers for many tenants, on one machine or on thousands.

    First log in: `higgins login`, or OS_* in the environment, or OS_CLOUD. Then: `higgins run -it busybox sh`.
    """


def main() -> None:
    """Run the command line. What went wrong is a line on standard error and one on what to do; exit status 1, or 2 for what was asked wrongly."""
    try:
        sys.exit(higgins.main(prog_name="higgins", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as nothing:
        nothing.show()
        sys.exit(nothing.exit_code)
    except click.ClickException as refusal:
        trouble.tell_usage(refusal)
        sys.exit(refusal.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(trouble.INTERRUPTED)
    except errors.Failure as failure:
        trouble.tell(failure)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read this has had enough. What is still buffered must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
