"""`higgins completion`, and the names that a shell completes."""

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem, get_completion_class

from higgins import errors
from higgins.cli.tenant import examples, session
from higgins.client.cloud import Document, path

PATIENCE = 1.0
"""Seconds that somebody who presses the tab key waits."""
_WHERE = {
    "bash": 'eval "$(higgins completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(higgins completion zsh)"   in ~/.zshrc, after compinit',
    "fish": "higgins completion fish > ~/.config/fish/completions/higgins.fish",
}


@click.command(epilog=examples.of(*_WHERE.values()))
@click.argument("shell", type=click.Choice(tuple(_WHERE)))
def completion(shell: str) -> None:
    """Print what completes commands and names in a shell."""
    found = get_completion_class(shell)
    assert found is not None
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "higgins", "_HIGGINS_COMPLETE").source())


def containers(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of containers that begin so."""
    return _items(incomplete, lambda one: (str(one["name"]), f"{one['status']}, {one['image']}"))


def images(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Images that containers of the project have been made of."""
    return _items(incomplete, lambda one: (str(one["image"]), ""))


def capsules(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of capsules that begin so, and ids of those without."""
    return _items(incomplete, lambda one: (str(one["name"] or one["uuid"]), str(one["status"])), "capsules")


def reachable(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of both."""
    return [*containers(context, parameter, incomplete), *capsules(context, parameter, incomplete)]


def networks(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of networks that begin so."""
    return _items(incomplete, lambda one: (str(one["name"]), str(one["subnet"])), "networks")


def security_groups(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of security groups that begin so."""
    return _items(incomplete, lambda one: (str(one["name"]), ""), "security_groups")


def volumes(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of volumes that begin so, and ids of those without."""
    return _items(incomplete, lambda one: (str(one["name"] or one["uuid"]), ""), "volumes")


def _items(
    incomplete: str, show: Callable[[Document], tuple[str, str]], noun: str = "containers"
) -> list[CompletionItem]:
    """Nothing, and no complaint, where there is nobody to ask."""
    try:
        page = session.cloud().get(path(noun), {"sort_key": "created_at", "sort_dir": "desc"}, patience=PATIENCE)
    except errors.Failure:
        return []
    shown = dict.fromkeys(map(show, page[noun]))
    return [CompletionItem(name, help=about) for name, about in shown if name.startswith(incomplete)]
