"""Text from strangers, made harmless and measured: what a terminal would obey is shown, not sent."""

import unicodedata

_HARMFUL = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that change the direction in which what follows is shown."""
ELLIPSIS = "…"


def line(text: str) -> str:
    """One line that moves no cursor: control characters and marks of direction stand as their escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def width(text: str) -> int:
    """Columns that it takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def fitted(text: str, columns: int) -> str:
    """The text if it fits, else its beginning with an ellipsis."""
    if width(text) <= columns:
        return text
    taken, kept = 0, []
    for char in text:
        taken += _columns(char)
        if taken > columns - 1:
            break
        kept.append(char)
    return "".join(kept) + ELLIPSIS[: max(0, columns)]


def padded(text: str, columns: int) -> str:
    """The text with spaces up to so many columns."""
    return text + " " * (columns - width(text))


def unsafe(char: str) -> bool:
    """Whether a terminal would obey it, or show what follows elsewhere."""
    return unicodedata.category(char) in _HARMFUL or char in _TURNING


def _shown(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode() if unsafe(char) else char


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
