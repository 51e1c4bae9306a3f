"""Columns of text for a terminal or a pipe."""

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

from higgins.cli import plain

NARROWEST = 8
"""Columns below which a column is not made narrower for the sake of others."""
COMFORT = 24
"""Columns that one gets which does not give way first, as long as another can be left out for that."""
_GAP = "  "


class Coloured(NamedTuple):
    """A cell that stands out where there are colours."""

    text: str
    colour: str


Cell = str | Coloured


def show(
    titles: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    whole: bool = False,
    first: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print the rows under their titles, aligned; nothing but the titles if there are none.

    On a terminal the widest columns give way until a line fits, unless it is to be `whole`; those that are named `first` before the others.
    Where that would cut what is shorter than COMFORT, those that can be `spare`d are left out, one after the other.
    """
    room = None if whole else terminal_width()
    for line in lines(titles, rows, room=room, colours=has_colours(), first=first, spare=spare):
        click.echo(line, color=True)


def lines(
    titles: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    room: int | None = None,
    colours: bool = False,
    first: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> list[str]:
    """The table; no line is wider than `room`, unless there is not even room for narrow columns and none that can be left out."""
    cells: list[list[Cell]] = [[title.upper() for title in titles], *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(plain.width(_text(line[column])) for line in cells) for column in range(len(titles))]
    if room is not None:
        kept = _kept(titles, widths, room, first, spare)
        cells = [[line[column] for column in kept] for line in cells]
        space = room - len(_GAP) * (len(kept) - 1)
        leading = [place for place, column in enumerate(kept) if titles[column] in first]
        widths = _narrowed([widths[column] for column in kept], space, leading)
        widths = _narrowed(widths, space, range(len(kept)))
    return [_line(line, widths, colours=colours) for line in cells]


def terminal_width() -> int | None:
    """Columns of the terminal that is written to; None if it is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def terminal_height() -> int | None:
    """Lines of it."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines or None
    except (OSError, ValueError):
        return None


def has_colours() -> bool:
    """Whether what is written is looked at by a person who wants colours."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and sys.stdout.isatty()


def _kept(
    titles: Sequence[str], widths: Sequence[int], room: int, first: Sequence[str], spare: Sequence[str]
) -> Sequence[int]:
    """The columns that are shown: without so many of the spare ones that the others can be read."""
    needed = {
        column: min(width, NARROWEST if titles[column] in first else COMFORT) + len(_GAP)
        for column, width in enumerate(widths)
    }
    for title in spare:
        if sum(needed.values()) - len(_GAP) > room:
            del needed[titles.index(title)]
    return list(needed)


def _narrowed(widths: Sequence[int], room: int, columns: Sequence[int]) -> list[int]:
    """Of these columns the widest give way first, so that what is short stays whole."""
    left = [min(width, max(room, NARROWEST)) if column in columns else width for column, width in enumerate(widths)]
    while columns and sum(left) > room:
        widest = max(columns, key=left.__getitem__)
        if left[widest] <= NARROWEST:
            return left
        left[widest] -= 1
    return left


def _line(cells: Sequence[Cell], widths: Sequence[int], *, colours: bool) -> str:
    last = len(widths) - 1
    parts = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        text = plain.fitted(_text(cell), width)
        shown = click.style(text, fg=cell.colour) if colours and isinstance(cell, Coloured) and text else text
        parts.append(shown if place == last else shown + " " * (width - plain.width(text)))
    return _GAP.join(parts).rstrip()


def _plain(cell: Cell) -> Cell:
    return cell._replace(text=plain.line(cell.text)) if isinstance(cell, Coloured) else plain.line(cell)


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Coloured) else cell
