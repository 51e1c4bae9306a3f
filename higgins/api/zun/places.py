"""Where in a parameter something is wrong: its name, down to the key and the number in a list, and what may stand there."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

Hook = Callable[[type, Any], Any]

# msgspec writes the way to a value at the end: names that are known, and numbers; `[...]` stands for a key of a map.
_WAY = re.compile(r" - at (?P<key>`key` in )?`\$(?P<way>[\w.\[\]-]*)`$")
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|(\[\.\.\.\])")
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something has to be there."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Something must not be there."""

    name: str
    known: Sequence[str]
    """What may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Something must be different."""

    name: str
    value: Any
    allowed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    name: str
    value: Any
    kind: Any


def find(name: str, value: Any, kind: Any, said: str, hook: Hook) -> Missing | Unknown | Wrong:
    """What msgspec said of a parameter's value, that it is not of this kind, as a place and its trouble."""
    way = _WAY.search(said)
    what = said[: way.start()] if way else said
    place = _Place(name=name, value=value, kind=kind)
    for step in _STEP.finditer(way["way"] if way else ""):
        place = _into(place, step, hook)
    if way and way["key"]:
        return Wrong(name=place.name, value=_bad_key(place, hook), allowed=f"As a key: {what}")
    if found := _MISSING.fullmatch(what):
        return Missing(name=f"{place.name}.{found[1]}")
    if found := _UNKNOWN.fullmatch(what):
        known = [name for arm in _arms(place.kind) for name in _fields(arm)]
        return Unknown(name=f"{place.name}.{found[1]}", known=known)
    words = [word for arm in _arms(place.kind) if get_origin(arm) is Literal for word in get_args(arm)]
    if words and what.startswith("Invalid enum value"):
        what = f"It must be one of {', '.join(map(str, words))}."
    return Wrong(name=place.name, value=place.value, allowed=what)


def _into(place: _Place, step: re.Match[str], hook: Hook) -> _Place:
    name, number, _ = step.groups()
    if name is not None:
        kind = next((_fields(arm)[name] for arm in _arms(place.kind) if name in _fields(arm)), Any)
        return _Place(name=f"{place.name}.{name}", value=place.value[name], kind=kind)
    if number is not None:
        kind = next((get_args(arm)[0] for arm in _arms(place.kind) if get_origin(arm) is list), Any)
        return _Place(name=f"{place.name}[{number}]", value=place.value[int(number)], kind=kind)
    kind = next((get_args(arm)[1] for arm in _arms(place.kind) if get_origin(arm) is dict), Any)
    bad = [key for key, value in place.value.items() if not _fits(value, kind, hook)]
    return _Place(name=f"{place.name}.{bad[0]}", value=place.value[bad[0]], kind=kind) if bad else place


def _bad_key(place: _Place, hook: Hook) -> Any:
    kind = next((get_args(arm)[0] for arm in _arms(place.kind) if get_origin(arm) is dict), str)
    return next((key for key in place.value if not _fits(key, kind, hook)), None)


def _fits(value: Any, kind: Any, hook: Hook) -> bool:
    try:
        msgspec.convert(value, kind, dec_hook=hook)
    except msgspec.ValidationError:
        return False
    return True


def _arms(kind: Any) -> Sequence[Any]:
    """The kinds that a value may be of, each without what is only said about it."""
    match get_origin(kind):
        case origin if origin is Annotated:
            return _arms(get_args(kind)[0])
        case origin if origin in (Union, UnionType):
            return [arm for one in get_args(kind) for arm in _arms(one)]
        case _:
            return [kind]


def _fields(kind: Any) -> Mapping[str, Any]:
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {}
    return {one.encode_name: one.type for one in msgspec.structs.fields(kind)}
