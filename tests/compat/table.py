"""The rows of the table: one request, for which callers and versions it holds, and how it is answered.

A row is tried at both ends of its range, in Zun's newest version, and in every version in which it says that something else is answered; one that
says `every`, in every version there is.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.compat.differences import OURS, Zun
from tests.compat.kinds import Kind

NEWEST = 41
ZUNS = 40
"""The newest version that Zun has."""
MEMBER, ADMIN, STRANGER, NOBODY = "member", "admin", "stranger", "nobody"

INVALID = "container.schema-validation-error"
TOO_NEW = "container.invalid-param-in-version"
FORBIDDEN = "container.policy-not-authorized"
WRONG_STATE = "container.invalid-state-exception"
NO_CONTAINER = "container.container-not-found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refusal."""

    status: int = 400
    code: str | None = None
    names: str | None = None
    """What its sentence has in it."""


GATED = Refused(code=TOO_NEW)
NOT_IN_THIS_VERSION = Refused(status=406)
UNKNOWN_PROPERTY = Refused(code=INVALID, names="Additional properties are not allowed")


@dataclass(frozen=True, slots=True)
class Row:
    """One request and its answer."""

    method: str
    path: str
    """Below /v1. A name in braces stands for something that there is: see ground.py."""
    status: int
    gives: Kind | None = field(default=None, kw_only=True)
    """What the body is; None where nobody said, or there is none."""
    code: str | None = field(default=None, kw_only=True)
    names: str | None = field(default=None, kw_only=True)
    """What the sentence of a refusal has in it: the parameter that is at fault."""
    shows: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    """Some of the body's fields, and exactly what they are."""
    query: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    body: object = field(default=None, kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    who: str = field(default=MEMBER, kw_only=True)
    since: int = field(default=1, kw_only=True)
    until: int = field(default=NEWEST, kw_only=True)
    otherwise: Refused | None = field(default=None, kw_only=True)
    """The answer in all other versions; None: the row says nothing of them."""
    every: bool = field(default=False, kw_only=True)
    zun: Zun | None = field(default=None, kw_only=True)
    """How upstream differs on purpose of ours."""
    harsh: bool = field(default=False, kw_only=True)
    """Changes what others rely on: only for a server of our own."""
    label: str | None = field(default=None, kw_only=True)
    """What it is about, where method, path and parameters do not tell."""

    def __str__(self) -> str:
        who = "" if self.who == MEMBER else f" by {self.who}"
        about = self.label or " ".join(short(one) for one in _told(self))
        asked = f"{self.method} /v1{self.path}{who} {about}".strip()
        return f"{asked} is {self.status}{self._range()}" + (
            f", else {self.otherwise.status}" if self.otherwise else ""
        )

    def _range(self) -> str:
        if self.since == 1 and self.until == NEWEST:
            return ""
        if self.since == 1:
            return f" up to 1.{self.until}"
        return f" from 1.{self.since}" + ("" if self.until == NEWEST else f" to 1.{self.until}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an endpoint: values that are taken, and values that are refused with a 400 that names it."""

    of: Row
    """A request that is good without it."""
    name: str
    inside: str | None = None
    """The object of the body in which it stands."""
    good: Sequence[object] = ()
    shown: Sequence[tuple[object, object]] = ()
    """Good ones, and what the field of the same name is then."""
    bad: Sequence[object] = ()
    since: int = 1
    until: int = NEWEST
    otherwise: Refused | None = None
    code: str | None = INVALID
    zun: Zun | None = None

    def rows(self) -> Iterator[Row]:
        """One for each value."""
        for value in self.good:
            yield self._row(value)
        for value, shown in self.shown:
            yield replace(self._row(value), shows={self.name: shown})
        for value in self.bad:
            refused = self._row(value)
            yield replace(refused, status=400, gives=None, code=self.code, names=self.name, otherwise=None)

    def _row(self, value: object) -> Row:
        changed = self._placed(value)
        return replace(
            changed,
            since=max(self.since, self.of.since),
            until=min(self.until, self.of.until),
            otherwise=self.otherwise,
            zun=self.zun or self.of.zun,
            label=f"{self.name}={short(value)}",
        )

    def _placed(self, value: object) -> Row:
        if self.of.body is None:
            return replace(self.of, query={**self.of.query, self.name: value})
        assert isinstance(self.of.body, dict)
        if self.inside is None:
            return replace(self.of, body={**self.of.body, self.name: value})
        return replace(self.of, body={**self.of.body, self.inside: {**self.of.body[self.inside], self.name: value}})


def tried(row: Row, newest: int) -> Sequence[int]:
    """The versions in which a row is tried."""
    until = min(row.until, newest)
    outside = () if row.otherwise is None else (*range(1, row.since), *range(row.until + 1, newest + 1))
    if row.every:
        return sorted({*outside, *range(row.since, until + 1)})
    return sorted({*outside, row.since, until, *([ZUNS] if row.since <= ZUNS <= until else [])})


def expected(row: Row, minor: int) -> Refused | None:
    """The refusal in a version in which the row does not hold; None where it does."""
    return None if row.since <= minor <= row.until else row.otherwise


def left_out(row: Row, *, upstream: bool, ours: bool) -> str | None:
    """Why a row is not tried: against upstream, or at an endpoint that is not our own; None if it is."""
    if row.harsh and not ours:
        return "changes what others rely on"
    if upstream and row.zun is not None and row.zun.status is None:
        return row.zun.sentence
    if upstream and row.since > ZUNS:
        return OURS.sentence
    return None


def _told(row: Row) -> Sequence[object]:
    return (*row.query.items(), *(() if row.body is None else (row.body,)))


def short(value: object) -> str:
    """A value as it can stand in the name of a test."""
    if isinstance(value, tuple):
        return "=".join(str(one) for one in value)
    text = value.decode(errors="replace") if isinstance(value, bytes) else json.dumps(value)
    text = text.encode("ascii", "replace").decode()
    return text if len(text) <= 90 else f"{text[:40]}... of {len(text)}"
