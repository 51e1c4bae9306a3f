"""What each request may carry, which version each part came with, and what this deployment does not offer yet.

Both the validation and the OpenAPI document come from these definitions. Everywhere `null` means the same as leaving a key out.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from higgins import errors
from higgins.api.zun import values
from higgins.api.zun.microversion import OURS, Version

# A pattern's `$` alone would let a line break through at the end; the look-ahead does not, in Python as in ECMAScript.
Name = Annotated[str, Meta(min_length=2, max_length=255, pattern="^[a-zA-Z0-9][a-zA-Z0-9_.-]+$(?!\n)")]
Image = Annotated[str, Meta(min_length=2, max_length=255, pattern="[a-zA-Z0-9][a-zA-Z0-9_.-]")]
# Linux has no longer one, and a runtime would only find out when it starts the container.
Hostname = Annotated[str, Meta(min_length=1, max_length=63, pattern="^[a-zA-Z0-9._-]*$(?!\n)")]
HostName = Annotated[str, Meta(min_length=1, max_length=255, pattern="^[a-zA-Z0-9._-]*$(?!\n)")]
Zone = Annotated[str, Meta(min_length=1, max_length=255)]
Path = Annotated[str, Meta(max_length=4096)]
Key = Annotated[str, Meta(min_length=1)]
Variable = Annotated[str, Meta(min_length=1, pattern="^[^=]+$")]
# Splitting takes the square of its length, and nobody else is served meanwhile: a megabyte would take half a minute.
CommandLine = Annotated[str, Meta(max_length=32 * 1024)]
Several = str | list[str]
"""A query parameter that may be repeated."""


class Nothing(Struct, forbid_unknown_fields=True):
    """No parameters."""


class RestartPolicy(Struct, forbid_unknown_fields=True, kw_only=True):
    """When a container that ended is started again."""

    name: Literal["no", "always", "on-failure", "unless-stopped"] = field(name="Name")
    maximum: values.Count | None = field(default=None, name="MaximumRetryCount")


class Healthcheck(Struct, forbid_unknown_fields=True, kw_only=True):
    """How a container's health is found out; times are seconds."""

    cmd: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    interval: Annotated[int, Meta(ge=0, le=86400)] | None = None
    retries: Annotated[int, Meta(ge=0, le=86400)] | None = None
    timeout: Annotated[int, Meta(ge=0, le=86400)] | None = None


class CreateContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """A container to be made."""

    image: Image
    run: values.Truth | None = None
    name: Name | None = None
    command: CommandLine | list[values.Text] | None = None
    entrypoint: list[values.Text] | None = None
    cpu: values.Cores | None = None
    cpu_policy: Literal["shared", "dedicated"] | None = None
    memory: values.Mebibytes | None = None
    disk: values.Gibibytes | None = None
    workdir: Path | None = None
    environment: dict[Variable, str] | None = None
    labels: dict[Key, values.Text] | None = None
    restart_policy: RestartPolicy | None = None
    interactive: values.PlainTruth | None = None
    tty: values.PlainTruth | None = None
    auto_remove: bool | None = None
    auto_heal: values.PlainTruth | None = None
    image_driver: Literal["docker", "glance", "None"] | None = None
    image_pull_policy: Literal["never", "always", "ifnotpresent", "Never", "Always", "IfNotPresent"] | None = None
    security_groups: list[Annotated[str, Meta(min_length=1, max_length=255)]] | None = None
    exposed_ports: dict[str, Any] | None = None
    nets: list[dict[str, Any]] | None = None
    mounts: list[dict[str, Any]] | None = None
    hostname: Hostname | None = None
    runtime: Annotated[str, Meta(max_length=255)] | None = None
    privileged: values.PlainTruth | None = None
    healthcheck: Healthcheck | None = None
    hints: dict[str, values.Text] | None = None
    availability_zone: Zone | None = None
    registry: Name | None = None
    host: HostName | None = None


class UpdateContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """What can be changed of a container."""

    name: Name | None = None
    cpu: values.Cores | None = None
    memory: values.Mebibytes | None = None
    auto_heal: values.PlainTruth | None = None


class ListContainers(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which containers, in which order, and which page of them."""

    name: Several | None = None
    image: Several | None = None
    project_id: Several | None = None
    user_id: Several | None = None
    memory: Several | None = None
    host: Several | None = None
    task_state: Several | None = None
    status: Several | None = None
    auto_remove: values.AnyTruth | None = None
    limit: values.Limit | None = None
    marker: str | None = None
    sort_key: str | None = None
    sort_dir: str | None = None
    all_projects: values.AnyTruth | None = None
    # Accepted because Zun accepts them; they change nothing here.
    expand: str | None = None
    resource_url: str | None = None


class ShowContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """Where to look for a container, and what to wait for."""

    all_projects: values.AnyTruth | None = None
    wait: values.Statuses | None = None
    timeout: values.Patience | None = None


class DeleteContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """How a container is deleted."""

    force: values.Truth | None = None
    stop: values.Truth | None = None
    all_projects: values.Truth | None = None


class StopContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """How long a container has to end by itself, in seconds."""

    timeout: values.Count | None = None


class RebuildContainer(Struct, kw_only=True):
    """From which image a container is made anew; nothing: from its own."""

    image: Image | None = None
    image_driver: Literal["docker", "glance", "None"] | None = None


class KillContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which signal is sent."""

    signal: values.Signal | None = None


class RenameContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """The new name."""

    name: Name


class ReadLogs(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which part of what a container printed."""

    stdout: values.Truth | None = None
    stderr: values.Truth | None = None
    timestamps: values.Truth | None = None
    tail: values.Tail | None = None
    since: values.Moment | None = None
    follow: values.Truth | None = None


class ExecuteCommand(Struct, forbid_unknown_fields=True, kw_only=True):
    """A command to be run inside a container."""

    command: Annotated[CommandLine, Meta(min_length=1)]
    run: values.PlainTruth | None = None
    interactive: values.PlainTruth | None = None
    tty: values.PlainTruth | None = None
    stdin: values.PlainTruth | None = None


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
        known = {name for name in self.names if version >= self.since.get(name, version)}
        elsewhere = () if self.query is None else [key for key in query if key not in self.query]
        if unknown := sorted({*elsewhere, *(key for key in raw if key not in known)}):
            if self.strict:
                self._refuse([key for key in unknown if not (key in self.since and raw[key] is None)])
            raw = {key: value for key, value in raw.items() if key in known}
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

    def _refuse(self, unknown: Sequence[str]) -> None:
        later = "".join(f"; {name} exists from version {self.since[name]} on" for name in unknown if name in self.since)
        if unknown:
            names = ", ".join(map(repr, unknown))
            raise _refused(f"Additional properties are not allowed ({names} was unexpected){later}")

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
                return invalid(name, str(error), value=None if name in self.secret else raw[name])
        return _refused(otherwise)


def missing(name: str) -> errors.Invalid:
    """The refusal of a request that does not say something."""
    return _refused(f"'{name}' is a required property")


def invalid(name: str, allowed: str, *, value: Any = None) -> errors.Invalid:
    """The refusal of one field: which, what it was, what is allowed."""
    shown = "" if value is None else f" Value: '{str(value)[:100]}'."
    return _refused(f"Invalid input for field '{name}'.{shown} {allowed}")


def _refused(message: str) -> errors.Invalid:
    return errors.Invalid(message, code="schema-validation-error")


def _too_new(gate: Gate[Any], version: Version) -> errors.Invalid:
    return errors.Invalid(
        f"Invalid param {gate.field} because current request version is {version}. {gate.field} is only supported from version {gate.since}",
        code="invalid-param-in-version",
    )


def _command_form(version: Version, params: CreateContainer) -> CreateContainer:
    """A string until 1.19, a list from 1.20 on."""
    if version < (1, 20) and isinstance(params.command, list):
        raise invalid("command", "Below version 1.20 it must be a string.", value=params.command)
    if version >= (1, 20) and isinstance(params.command, str):
        raise invalid("command", "From version 1.20 on it must be a list of strings.", value=params.command)
    return params


def _tty_follows_interactive(version: Version, params: CreateContainer) -> CreateContainer:
    """From 1.20 to 1.35 there was one word for both."""
    if (1, 20) <= version < (1, 36) and params.interactive is not None:
        return msgspec.structs.replace(params, tty=params.interactive)
    return params


NOTHING = Form(params=Nothing, strict=False)
CREATE = Form(
    params=CreateContainer,
    since={"host": Version(1, 39), "entrypoint": Version(1, 40)},
    query=("run",),
    gates=(
        Gate("auto_remove", Version(1, 3), lambda c: c.auto_remove is not None),
        Gate("runtime", Version(1, 5), lambda c: c.runtime is not None),
        Gate("hostname", Version(1, 9), lambda c: c.hostname is not None),
        Gate("mounts", Version(1, 11), lambda c: bool(c.mounts)),
        Gate("privileged", Version(1, 21), lambda c: c.privileged is not None),
        Gate("healthcheck", Version(1, 22), lambda c: c.healthcheck not in (None, Healthcheck())),
        Gate("exposed_ports", Version(1, 24), lambda c: c.exposed_ports is not None),
        Gate("registry", Version(1, 31), lambda c: c.registry is not None),
    ),
    steps=(_command_form, _tty_follows_interactive),
    unoffered=(
        Unoffered("nets", "a choice of networks", lambda c: bool(c.nets)),
        Unoffered("mounts", "volumes", lambda c: bool(c.mounts)),
        Unoffered("security_groups", "security groups", lambda c: bool(c.security_groups)),
        Unoffered("exposed_ports", "exposed ports", lambda c: bool(c.exposed_ports)),
        Unoffered("image_driver", "images from Glance", lambda c: c.image_driver == "glance"),
        Unoffered("cpu_policy", "dedicated CPUs", lambda c: c.cpu_policy == "dedicated"),
    ),
)
UPDATE = Form(params=UpdateContainer, query=())
RESIZE = Form(params=UpdateContainer)
LIST = Form(params=ListContainers)
SHOW = Form(params=ShowContainer, strict=False, since={"wait": OURS, "timeout": OURS})
DELETE = Form(
    params=DeleteContainer,
    gates=(
        Gate("force", Version(1, 7), lambda d: bool(d.force) and not d.stop),
        Gate("stop", Version(1, 12), lambda d: bool(d.stop)),
    ),
)
STOP = Form(params=StopContainer)
REBUILD = Form(
    params=RebuildContainer,
    strict=False,
    unoffered=(Unoffered("image_driver", "images from Glance", lambda c: c.image_driver == "glance"),),
)
KILL = Form(params=KillContainer)
RENAME = Form(params=RenameContainer, strict=False)
LOGS = Form(params=ReadLogs, since={"follow": OURS})
EXECUTE = Form(params=ExecuteCommand, since={"tty": OURS, "stdin": OURS})
