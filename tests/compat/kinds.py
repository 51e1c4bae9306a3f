"""What a JSON value may be, said briefly enough to stand in a table; and what is wrong with one that is something else."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class View:
    """Who looks, in which version."""

    minor: int
    admin: bool = False


class Kind(Protocol):
    """What a value may be."""

    def complaints(self, value: Any, view: View, at: str) -> Iterator[str]:
        """What is wrong, and where."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """A value that is judged as a whole."""

    name: str
    fits: Callable[[Any], bool]

    def complaints(self, value: Any, view: View, at: str) -> Iterator[str]:
        if not self.fits(value):
            yield f"{at} is {value!r:.80} and no {self.name}"


@dataclass(frozen=True, slots=True)
class Maybe:
    """This, or null."""

    kind: Kind

    def complaints(self, value: Any, view: View, at: str) -> Iterator[str]:
        if value is not None:
            yield from self.kind.complaints(value, view, at)


@dataclass(frozen=True, slots=True)
class ListOf:
    """Any number of these."""

    kind: Kind

    def complaints(self, value: Any, view: View, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{at} is {value!r:.80} and no list"
            return
        for number, one in enumerate(value):
            yield from self.kind.complaints(one, view, f"{at}[{number}]")


@dataclass(frozen=True, slots=True)
class MapOf:
    """These, under any names."""

    kind: Kind

    def complaints(self, value: Any, view: View, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at} is {value!r:.80} and no object"
            return
        for name, one in value.items():
            yield from self.kind.complaints(one, view, f"{at}.{name}")


@dataclass(frozen=True, slots=True)
class Since:
    """A field that is there from a version on."""

    minor: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Until:
    """A field that is there up to a version."""

    minor: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class ForAdmins:
    """A field that nobody else has."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Changed:
    """One thing up to a version, and another one from the next on."""

    minor: int
    before: Kind
    after: Kind

    def complaints(self, value: Any, view: View, at: str) -> Iterator[str]:
        yield from (self.before if view.minor <= self.minor else self.after).complaints(value, view, at)


Field = Kind | Since | Until | ForAdmins


@dataclass(frozen=True, slots=True)
class Fields:
    """An object with exactly these fields."""

    fields: Mapping[str, Field]

    def complaints(self, value: Any, view: View, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at} is {value!r:.80} and no object"
            return
        expected = dict(self._there(view))
        if missing := sorted(expected.keys() - value.keys()):
            yield f"{at} lacks {', '.join(missing)}"
        if more := sorted(value.keys() - expected.keys()):
            yield f"{at} has {', '.join(more)} besides"
        for name in expected.keys() & value.keys():
            yield from expected[name].complaints(value[name], view, f"{at}.{name}")

    def nullable(self, *names: str) -> "Fields":
        """The same, but these fields, which everybody has in every version, may be null."""
        return Fields({name: Maybe(self._plain(name)) if name in names else kind for name, kind in self.fields.items()})

    def _plain(self, name: str) -> Kind:
        kind = self.fields[name]
        assert not isinstance(kind, Since | Until | ForAdmins)
        return kind

    def _there(self, view: View) -> Iterator[tuple[str, Kind]]:
        for name, field in self.fields.items():
            match field:
                case Since(minor=minor, kind=kind):
                    if view.minor >= minor:
                        yield name, kind
                case Until(minor=minor, kind=kind):
                    if view.minor <= minor:
                        yield name, kind
                case ForAdmins(kind=kind):
                    if view.admin:
                        yield name, kind
                case kind:
                    yield name, kind


@dataclass(frozen=True, slots=True)
class OrEmpty:
    """This object, or one without any field."""

    kind: Kind

    def complaints(self, value: Any, view: View, at: str) -> Iterator[str]:
        if value != {}:
            yield from self.kind.complaints(value, view, at)


def fields(**named: Field) -> Fields:
    """An object with exactly these fields."""
    return Fields(named)


def words(*allowed: str) -> Plain:
    """One of these words."""
    return Plain(f"one of {', '.join(allowed)}", lambda value: value in allowed)


def matching(name: str, pattern: str) -> Plain:
    """Text of this form."""
    return Plain(name, lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None)


_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

ANY = Plain("value", lambda _: True)
NULL = Plain("null", lambda value: value is None)
TEXT = Plain("text", lambda value: isinstance(value, str))
TRUTH = Plain("truth", lambda value: isinstance(value, bool))
WHOLE = Plain("whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
NUMBER = Plain("number", lambda value: isinstance(value, int | float) and not isinstance(value, bool))
DIGITS = matching("digits in a string", "[0-9]+")
ID = matching("id", _ID)
URL = matching("address", r"https?://[^/ ]+/.*")
CONSOLE = matching("address of a console", rf"wss?://[^/ ]+/\S*\?token={_ID}&uuid={_ID}(&exec_id=[0-9a-f]{{64}})?")
EXEC_ID = matching("id of a command", "[0-9a-f]{64}")
REQUEST_ID = matching("id of a request", f"req-{_ID}")
SPACED_TIME = matching("time with a space", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?")
ISO_TIME = matching("time with a T", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
