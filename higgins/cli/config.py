"""`higgins config`: the settings as a sample file, as a page, and as they are in force."""

import textwrap

import click

from higgins.cli import context
from higgins.settings import DEFAULT_FILE, Option, Settings, definitions


@click.group()
def config() -> None:
    """The configuration: all there is to set, and what is in force."""


@config.command("sample")
def print_sample() -> None:
    """Print a configuration file with every option at its default."""
    click.echo(sample(), nl=False)


@config.command("reference")
def print_reference() -> None:
    """Print every option as a page of Markdown."""
    click.echo(reference(), nl=False)


@config.command("show")
def print_shown() -> None:
    """Print what is in force, secrets hidden."""
    click.echo(shown(context.settings()), nl=False)


def sample() -> str:
    """A configuration file with every option, explained and commented out at its default."""
    parts = ["# Higgins. Every option stands here at its default.\n"]
    for group in definitions():
        parts.append(f"{_comment(group.purpose)}[{group.name}]\n")
        for each in group.options:
            parts.append(f"{_comment(_meaning(each))}#{_line(each, each.default)}\n")
    return "\n".join(parts)


def reference() -> str:
    """The same as a page of Markdown."""
    parts = [
        "# Configuration\n",
        f"One file, `{DEFAULT_FILE}`, or as many as are named with `--config-file` (or one with `HIGGINS_CONFIG`); a later"
        " one wins. Then the environment: `OS_<GROUP>__<OPTION>`, such as `OS_API__PORT`. `higgins config sample` prints this"
        " page as a file, `higgins config show` what is in force. An unknown name or a wrong value is refused.\n",
    ]
    for group in definitions():
        parts.append(f"## [{group.name}]\n\n{group.purpose}\n\n| option | default | meaning |\n|---|---|---|")
        for each in group.options:
            default = _written(each.default)
            parts.append(f"| `{each.name}` | {f'`{default}`' if default else ''} | {_meaning(each)} |")
        parts.append("")
    return "\n".join(parts)


def shown(settings: Settings) -> str:
    """The values in force, as a file, without secrets."""
    parts = []
    for group in definitions():
        holder = settings if group.name == "DEFAULT" else getattr(settings, group.name)
        parts.append(f"[{group.name}]")
        for each in group.options:
            value = getattr(holder, each.name)
            parts.append(_line(each, "***" if each.secret and value else value))
        parts.append("")
    return "\n".join(parts)


def _meaning(each: Option) -> str:
    if each.choices:
        return f"{each.explanation} One of: {', '.join(word or '(empty)' for word in each.choices)}."
    return each.explanation


def _comment(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="# ", subsequent_indent="# ") + "\n"


def _line(each: Option, value: object) -> str:
    return f"{each.name} = {_written(value)}".rstrip()


def _written(value: object) -> str:
    return "" if value is None else str(value)
