"""What somebody who mistyped a word may have meant."""

from collections.abc import Iterable
from importlib import import_module


def question(given: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """Asks whether it was one of the three known ones that are nearest; empty if none is near."""
    # Importing it takes a good part of the time of `higgins --help`, and few mistype.
    found: list[str] = import_module("difflib").get_close_matches(given, list(known), n=3, cutoff=likeness)
    if not found:
        return ""
    *others, last = found
    return f"Did you mean {', '.join(others)} or {last}?" if others else f"Did you mean {last}?"
