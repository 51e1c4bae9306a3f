"""Manifests: files that say what is wanted, in YAML or JSON, document by document."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from higgins import errors

_MOST = 20_000
"""Values in a file. A few lines of YAML that repeat each other can stand for more than fits into memory."""


class _Plain(yaml.SafeLoader):  # type: ignore[misc]
    """YAML that says no more than JSON can: a date is the text that it was written as, and a key stands once."""

    # The table belongs to the class above, and is copied.
    yaml_implicit_resolvers = {  # noqa: RUF012 - it is the library's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        known: set[str] = set()
        for key, _ in node.value:
            if key.value != "<<" and str(key.value) in known:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands there twice", key.start_mark)
            known.add(str(key.value))
        return node


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One document of a file."""

    place: str
    """Which it is, for people."""
    document: Mapping[str, Any]


def read(file: str) -> Sequence[Manifest]:
    """The documents of a file; `-` is standard input. Raises Invalid for what cannot be read."""
    name = "standard input" if file == "-" else file
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise errors.Invalid(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise errors.Invalid(f"{name} cannot be read: it is no text in UTF-8") from error
    found = parsed(text, name)
    if not found:
        raise errors.Invalid(f"{name} has nothing in it")
    return found


def parsed(text: str, name: str) -> Sequence[Manifest]:
    """The documents of a text, of which the empty ones are left out. Raises Invalid for what JSON could not say."""
    found = [each for each in _documents(text, name) if each is not None]
    places = [name if len(found) == 1 else f"{name}, document {number}" for number in range(1, len(found) + 1)]
    for place, document in zip(places, found, strict=True):
        if not isinstance(document, dict):
            raise errors.Invalid(f"{place}: it must be an object, with keys such as kind, metadata and spec")
        _check(document, place)
    return [Manifest(place=place, document=each) for place, each in zip(places, found, strict=True)]


def _documents(text: str, name: str) -> Sequence[Any]:
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text)]
        except (ValueError, RecursionError):
            pass  # A line of YAML may begin so too.
    try:
        return list(yaml.load_all(text, _Plain))
    except yaml.YAMLError as error:
        raise errors.Invalid(f"{name} is neither YAML nor JSON: {' '.join(str(error).split())}") from error
    except (ValueError, RecursionError) as error:
        raise errors.Invalid(f"{name} has a number or a nesting that nobody can read") from error


def _check(document: Mapping[Any, Any], place: str) -> None:
    """Whether JSON can say all of it."""
    left: list[tuple[str, Any]] = [("", document)]
    for _ in range(_MOST):
        if not left:
            return
        where, value = left.pop()
        left += _parts(where, value, place)
    raise errors.Invalid(f"{place}: there is too much in it, more than {_MOST} values")


def _parts(where: str, value: Any, place: str) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            for key, each in value.items():
                at = f"{where}.{key}" if where else str(key)
                if not isinstance(key, str):
                    raise errors.Invalid(f"{place}: {at}: a key must be text; put it in quotes")
                yield at, each
        case list():
            yield from ((f"{where}[{number}]", each) for number, each in enumerate(value))
        case float() if not math.isfinite(value):
            raise errors.Invalid(f"{place}: {where}: {value} is no number that can be sent")
        case str() | bool() | int() | float() | None:
            return
        case _:
            raise errors.Invalid(f"{place}: {where}: JSON has no word for a {type(value).__name__}")
