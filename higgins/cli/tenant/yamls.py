"""Documents as YAML: what JSON can say, in lines that people read."""

import json
import re
from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z_./](?:[A-Za-z0-9_./@ +-]|:(?=[^ ]))*(?<! )")
"""Words that need no quotes: whatever could be taken for something else gets some."""
_TAKEN = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "~"})
_NUMBER = re.compile(r"[.+-]?[0-9._]|\.(inf|nan)", re.IGNORECASE)


def written(value: object) -> str:
    """The document, with a line break at its end."""
    return "\n".join(_block(value)) + "\n"


def _block(value: object) -> list[str]:
    match value:
        case Mapping() if value:
            found = []
            for key, each in value.items():
                found += _hung(f"{_scalar(str(key))}:", each, indent=0 if isinstance(each, list | tuple) else 2)
            return found
        case list() | tuple() if value:
            lines = []
            for each in value:
                inner = _block(each)
                lines += [f"- {inner[0]}", *(f"  {line}" for line in inner[1:])]
            return lines
        case _:
            return [_scalar(value)]


def _hung(head: str, value: object, *, indent: int) -> list[str]:
    """The value beside its key, or below it if it takes more than a word."""
    if isinstance(value, Mapping | list | tuple) and value:
        return [head, *(" " * indent + line for line in _block(value))]
    return [f"{head} {_scalar(value)}"]


def _scalar(value: object) -> str:
    match value:
        case str():
            plain = _PLAIN.fullmatch(value) and value.lower() not in _TAKEN and not _NUMBER.match(value)
            return value if plain else _quoted(value)
        case float():
            # YAML knows a number with an exponent by its point.
            mantissa, mark, exponent = json.dumps(value).partition("e")
            return mantissa + (".0" if mark and "." not in mantissa else "") + mark + exponent
        case Mapping():
            return "{}"
        case Sequence():
            return "[]"
        case _:
            return json.dumps(value)


def _quoted(text: str) -> str:
    """YAML reads what JSON writes, but for pairs of surrogates: each character has an escape of its own."""
    return "".join(
        char if char.isprintable() else f"\\U{ord(char):08x}" for char in json.dumps(text, ensure_ascii=False)
    )
