"""Columns of text for a terminal or a pipe."""

from collections.abc import Sequence

import click


def show(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the rows under their titles, aligned; nothing but the titles if there are none."""
    lines = [[title.upper() for title in titles], *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
