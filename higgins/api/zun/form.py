"""How a request's parameters become values, or a refusal that names what is wrong with them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from higgins import errors
from higgins.api.zun import places
from higgins.api.zun.microversion import Version

P = TypeVar("P", bound=Struct)


@dataclass(frozen=True, slots=True)
class Gate(Generic[P]):
    """A parameter that exists only since a version."""

    field: str
    since: Version
    used: Callable[[P], bool]


@dataclass(frozen=True, slots=True)
class Unoffered(Generic[P]):
    """Something that the API has a word for and this deployment nothing behind it yet."""

    field: str
    what: str
    used: Callable[[P], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Generic[P]):
    """Everything that is asked of a request's parameters, in the order in which it is checked."""

    params: type[P]
    strict: bool = True
    """Parameters that the API does not know are refused; otherwise they are ignored."""
    since: Mapping[str, Version] = dataclasses.field(default_factory=dict)
    """Parameters that are not known before a version: until then they are treated like all that the API does not know."""
    query: Sequence[str] | None = None
    """The only parameters that may stand in the query; None: all of them."""
    opaque: Sequence[str] = ()
    """Parameters that may hold any character whatever."""
    placed: Sequence[str] = ()
    """Parameters with much in them: a refusal says at which place of them."""
    texts: Sequence[str] = ()
    """Parameters of a body that may come as text, too: in JSON or YAML."""
    secret: Sequence[str] = ()
    """Parameters that no refusal repeats."""
    gates: Sequence[Gate[P]] = ()
    steps: Sequence[Callable[[Version, P], P]] = ()
    """What a version changes about the meaning of parameters."""
    unoffered: Sequence[Unoffered[P]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names as clients write them."""
        return self.params.__struct_encode_fields__

    def read(
        self,
        query: Mapping[str, Any],
        body: Mapping[str, Any],
        version: Version,
        hook: Callable[[type, Any], Any],
    ) -> P:
        """The parameters as values; the body has the last word. Raises Invalid with the field's name and what is allowed."""
        raw = {**query, **body}
        elsewhere = () if self.query is None else [key for key in query if key not in self.query]
        if unknown := sorted({*elsewhere, *(key for key in raw if not self._knows(key, version))}):
            if self.strict:
                self._refuse([key for key in unknown if not (key in self.since and raw[key] is None)])
            raw = {key: value for key, value in raw.items() if self._knows(key, version)}
        try:
            params = msgspec.convert(raw, self.params, dec_hook=hook)
        except msgspec.ValidationError as error:
            raise self._explained(raw, hook, str(error)) from error
        for gate in self.gates:
            if version < gate.since and gate.used(params):
                raise _too_new(gate, version)
        for step in self.steps:
            params = step(version, params)
        for one in self.unoffered:
            if one.used(params):
                raise invalid(one.field, f"This deployment does not offer {one.what} yet; leave it out.")
        return params

    def _knows(self, name: str, version: Version) -> bool:
        return name in self.names and version >= self.since.get(name, version)

    def _refuse(self, unknown: Sequence[str]) -> None:
        later = "".join(f"; {name} exists from version {self.since[name]} on" for name in unknown if name in self.since)
        if unknown:
            raise unexpected(unknown, later)

    def _explained(self, raw: Mapping[str, Any], hook: Callable[[type, Any], Any], otherwise: str) -> errors.Invalid:
        """The whole was not valid: find out which field is at fault."""
        for one in msgspec.structs.fields(self.params):
            name = one.encode_name
            if name not in raw:
                if one.required:
                    return missing(name)
                continue
            try:
                msgspec.convert(raw[name], one.type, dec_hook=hook)
            except msgspec.ValidationError as error:
                if name in self.placed:
                    return _placed(places.find(name, raw[name], one.type, str(error), hook))
                return invalid(name, str(error), value=None if name in self.secret else raw[name])
        return _refused(otherwise)


def missing(name: str) -> errors.Invalid:
    """The refusal of a request that does not say something."""
    return _refused(f"'{name}' is a required property")


def unexpected(names: Sequence[str], more: str = "") -> errors.Invalid:
    """The refusal of what nothing is known of."""
    return _refused(f"Additional properties are not allowed ({', '.join(map(repr, names))} was unexpected){more}")


def invalid(name: str, allowed: str, *, value: Any = None) -> errors.Invalid:
    """The refusal of one field: which, what it was, what is allowed."""
    shown = "" if value is None else f" Value: '{str(value)[:100]}'."
    return _refused(f"Invalid input for field '{name}'.{shown} {allowed}")


def _placed(trouble: places.Missing | places.Unknown | places.Wrong) -> errors.Invalid:
    match trouble:
        case places.Missing(name=name):
            return missing(name)
        case places.Unknown(name=name, known=known):
            return unexpected([name], f"; known here are {', '.join(known)}" if known else "")
        case places.Wrong(name=name, value=value, allowed=allowed):
            return invalid(name, allowed, value=value)


def _refused(message: str) -> errors.Invalid:
    return errors.Invalid(message, code="schema-validation-error")


def _too_new(gate: Gate[Any], version: Version) -> errors.Invalid:
    return errors.Invalid(
        f"Invalid param {gate.field} because current request version is {version}. {gate.field} is only supported from version {gate.since}",
        code="invalid-param-in-version",
    )
