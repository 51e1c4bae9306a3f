"""The kinds of values that requests carry: each is read from JSON or from a query string, and described for the OpenAPI document.

Clients send numbers and truths as strings too, so the bounds hold for both spellings.
"""

import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from msgspec import Meta

from higgins.logic.statusword import Status

LARGEST = 2**31 - 1
"""What a count may be: more than anybody means, and small enough for every database."""


LONGEST_WAIT = 3600
"""Seconds for which an answer is held back at most until something happens."""


def said(of_it: str) -> Meta:
    """What the OpenAPI document says of a field."""
    return Meta(description=of_it)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How small and how large a container may be asked for."""

    minimum_cpus: float = 0.1
    maximum_cpus: float = 16.0
    minimum_memory: int = 4
    maximum_memory: int = 8192
    minimum_disk: int = 1
    maximum_disk: int = 160


class Truth(int):
    """Zun's `bool-ext`: yes and no in the words that people use."""


class PlainTruth(int):
    """Zun's `bool`: true and false only."""


class AnyTruth(int):
    """The words that the `all_projects` of a list understands, in any case."""


class Cores(float):
    """An amount of CPU."""


class Mebibytes(int):
    """An amount of memory."""


class Gibibytes(int):
    """An amount of disk."""


class Count(int):
    """A whole number from 0."""


class Ceiling(int):
    """The most that there may be of something; -1 for no limit."""


class Extent(int):
    """How many columns or rows a terminal has."""


class PortNumber(int):
    """A port of TCP or UDP."""


class Limit(int):
    """How long a page may be."""


class Patience(int):
    """How many seconds somebody waits."""


class Tail(int):
    """How many lines from the end; -1 for all of them."""


class Text(str):
    """A string; other plain values are written out."""


class Signal(str):
    """The full name of a signal, from any of its five spellings."""


class Statuses(str):
    """Words for what a container is, with commas between them."""


class IPv4(str):
    """An address of IPv4."""


class IPv6(str):
    """An address of IPv6."""


class IP(str):
    """An address of either."""


class Moment(float):
    """Seconds since the epoch, from a number or a date."""


@dataclass(frozen=True, slots=True)
class _Kind:
    read: Callable[[Any, Bounds], Any]
    schema: Callable[[Bounds], Mapping[str, Any]]


_YES = ("True", "true", "TRUE", "1", "ON", "On", "on", "YES", "Yes", "yes")
_NO = ("False", "false", "FALSE", "0", "OFF", "Off", "off", "NO", "No", "no")
_ANY_YES = ("1", "t", "true", "on", "y", "yes")
_ANY_NO = ("0", "f", "false", "off", "n", "no")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}),([0-9]{1,3})")
_GONE = "Deleted"
"""What nobody ever reads: whoever waits for it is told that there is nothing."""
_STATUSES = "^({0})(,({0}))*$".format("|".join((*Status, _GONE)))
_SIGNALS: Mapping[str, str] = {
    spelling: member.name
    for member in signal.Signals
    for bare in (member.name.removeprefix("SIG"),)
    for spelling in (member.name, bare, member.name.lower(), bare.lower(), str(member.value))
}


def _truth(kind: type[int], yes: tuple[str, ...], no: tuple[str, ...], *, fold: bool = False) -> _Kind:
    def read(raw: Any, _: Bounds) -> int:
        if isinstance(raw, bool):
            return kind(raw)
        word = raw.lower() if fold and isinstance(raw, str) else raw
        if isinstance(word, str) and (word in yes or word in no):
            return kind(word in yes)
        raise ValueError(f"It must be true or false, or one of the words {', '.join((*yes, *no))}.")

    return _Kind(read, lambda _: {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": [*yes, *no]}]})


def _whole(raw: Any) -> int | None:
    """A whole number that JSON or a string of digits gives, None for anything else."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    # Longer strings of digits are too large for anything and slow to read.
    if isinstance(raw, str) and re.fullmatch("[0-9]{1,18}", raw):
        return int(raw)
    return None


def _amount(kind: type[int], what: str, low: Callable[[Bounds], int], high: Callable[[Bounds], int]) -> _Kind:
    def read(raw: Any, bounds: Bounds) -> int:
        number = _whole(raw)
        if number is None or not low(bounds) <= number <= high(bounds):
            raise ValueError(f"It must be {what} from {low(bounds)} to {high(bounds)}.")
        return kind(number)

    def schema(bounds: Bounds) -> Mapping[str, Any]:
        number = {"type": "integer", "minimum": low(bounds), "maximum": high(bounds)}
        return {"anyOf": [number, {"type": "string", "pattern": "^[0-9]+$"}]}

    return _Kind(read, schema)


def _ceiling(raw: Any, _: Bounds) -> Ceiling:
    below = isinstance(raw, str) and raw.startswith("-")
    number = -1 if raw == -1 and not isinstance(raw, bool | float) else _whole(raw[1:] if below else raw)
    number = -number if below and number is not None else number
    if number is None or not -1 <= number <= LARGEST:
        raise ValueError(f"It must be a whole number from 0 to {LARGEST}, or -1 for no limit.")
    return Ceiling(number)


def _cores(raw: Any, bounds: Bounds) -> Cores:
    # The same form as Zun's, except that a lone full stop is no number.
    plain = isinstance(raw, int | float) and not isinstance(raw, bool)
    if plain or (isinstance(raw, str) and len(raw) <= 40 and re.fullmatch(r"[0-9]+(\.[0-9]+)?|\.[0-9]+", raw)):
        number = float(raw) if isinstance(raw, str) or abs(raw) <= LARGEST else float("inf")
        if bounds.minimum_cpus <= number <= bounds.maximum_cpus:
            return Cores(number)
    raise ValueError(f"It must be a number of cores from {bounds.minimum_cpus} to {bounds.maximum_cpus}.")


def _cores_schema(bounds: Bounds) -> Mapping[str, Any]:
    number = {"type": "number", "minimum": bounds.minimum_cpus, "maximum": bounds.maximum_cpus}
    return {"anyOf": [number, {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?|\.[0-9]+)$"}]}


def _limit(raw: Any, _: Bounds) -> Limit:
    number = _whole(raw)
    if number is None or number < 1:
        raise ValueError("Limit must be positive integer")
    return Limit(min(number, LARGEST))


def _tail(raw: Any, _: Bounds) -> Tail:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise ValueError("It must be a number of lines, or the word all.")
    number = _whole(raw)
    return Tail(-1 if number is None or not 0 <= number <= LARGEST else number)


def _text(raw: Any, _: Bounds) -> Text:
    if isinstance(raw, str | int | float):
        return Text(raw)
    raise ValueError("It must be a string, a number, true or false.")


def _statuses(raw: Any, _: Bounds) -> Statuses:
    words = raw.split(",") if isinstance(raw, str) else raw if isinstance(raw, list) else ()
    known = {status.lower(): status for status in (*Status, _GONE)}
    if not words or not all(isinstance(word, str) and word.lower() in known for word in words):
        raise ValueError(f"It must be statuses with commas between them: {', '.join(known.values())}.")
    return Statuses(",".join(known[word.lower()] for word in words))


def _signal(raw: Any, _: Bounds) -> Signal:
    if raw == "None":
        return Signal("SIGKILL")
    if not isinstance(raw, str) or raw not in _SIGNALS:
        raise ValueError("It must be a signal, for example SIGHUP, HUP, sighup, hup or 1.")
    return Signal(_SIGNALS[raw])


def _address(kind: type[str], read: Callable[[str], object], what: str, pattern: Mapping[str, Any]) -> _Kind:
    def address(raw: Any, _: Bounds) -> str:
        try:
            if isinstance(raw, str):
                return kind(read(raw))
        except ValueError:
            pass
        raise ValueError(f"It must be {what}.")

    return _Kind(address, lambda _: {"type": "string", **pattern})


def _moment(raw: Any, _: Bounds) -> Moment:
    number = _whole(raw)
    if number is not None and 0 <= number <= 2**40:
        return Moment(number)
    if isinstance(raw, str) and (found := _DATE.fullmatch(raw)):
        try:
            moment = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
        except ValueError as error:
            raise ValueError("There is no such date.") from error
        return Moment(moment + float(f"0.{found[2]}"))
    raise ValueError("It must be seconds since the epoch, or a date such as 2026-11-21 10:20:30,000 in UTC.")


_KINDS: Mapping[type, _Kind] = {
    Truth: _truth(Truth, _YES, _NO),
    PlainTruth: _truth(PlainTruth, ("True", "true"), ("False", "false")),
    AnyTruth: _truth(AnyTruth, _ANY_YES, _ANY_NO, fold=True),
    Cores: _Kind(_cores, _cores_schema),
    Mebibytes: _amount(
        Mebibytes, "a whole number of MiB, without a unit,", lambda b: b.minimum_memory, lambda b: b.maximum_memory
    ),
    Gibibytes: _amount(
        Gibibytes, "a whole number of GiB, without a unit,", lambda b: b.minimum_disk, lambda b: b.maximum_disk
    ),
    Patience: _amount(Patience, "a whole number of seconds", lambda _: 0, lambda _: LONGEST_WAIT),
    Statuses: _Kind(_statuses, lambda _: {"type": "string", "pattern": _STATUSES}),
    Count: _amount(Count, "a whole number", lambda _: 0, lambda _: LARGEST),
    Ceiling: _Kind(
        _ceiling,
        lambda _: {
            "anyOf": [
                {"type": "integer", "minimum": -1, "maximum": LARGEST},
                {"type": "string", "pattern": "^-?[0-9]+$"},
            ]
        },
    ),
    Extent: _amount(Extent, "a whole number", lambda _: 1, lambda _: 65535),
    PortNumber: _amount(PortNumber, "a whole number", lambda _: 1, lambda _: 65535),
    Limit: _Kind(
        _limit,
        lambda _: {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]*[1-9][0-9]*$"}]},
    ),
    Tail: _Kind(_tail, lambda _: {"type": ["string", "integer"]}),
    Text: _Kind(_text, lambda _: {"type": ["string", "number", "boolean"]}),
    Signal: _Kind(_signal, lambda _: {"type": "string", "enum": ["None", *_SIGNALS]}),
    IPv4: _address(IPv4, IPv4Address, "an address of IPv4, such as 10.88.0.7", {"format": "ipv4"}),
    IPv6: _address(IPv6, IPv6Address, "an address of IPv6", {"format": "ipv6"}),
    IP: _address(IP, ip_address, "an address, such as 10.88.0.7", {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}),
    Moment: _Kind(_moment, lambda _: {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}),
}


def reader(bounds: Bounds) -> Callable[[type, Any], Any]:
    """How msgspec reads these kinds: its `dec_hook`. Raises ValueError with what is allowed."""

    def read(kind: type, raw: Any) -> Any:
        return _KINDS[kind].read(raw, bounds)

    return read


def describer(bounds: Bounds) -> Callable[[type], dict[str, Any]]:
    """How msgspec describes these kinds: its `schema_hook`."""

    def describe(kind: type) -> dict[str, Any]:
        return dict(_KINDS[kind].schema(bounds))

    return describe
