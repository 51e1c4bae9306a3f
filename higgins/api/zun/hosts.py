"""Hosts, the services on them, their zones and what they offer: what is asked, what is shown, and the verbs in between."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET, Struct, UnsetType

from higgins import errors
from higgins.api.zun import form, forms, translate, values
from higgins.api.zun.form import Form
from higgins.api.zun.forms import HostName
from higgins.api.zun.lists import Paging
from higgins.api.zun.microversion import OURS
from higgins.api.zun.values import said
from higgins.api.zun.verbs import NULL, Answer, Ask, Door
from higgins.api.zun.views import Link
from higgins.model import host as model
from higgins.model.host import Inventory
from higgins.service.fleet import BINARY

_encode = msgspec.json.Encoder().encode

# What is asked.


class ServiceName(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which service."""

    host: Annotated[HostName, said("The name of its host.")]
    binary: Annotated[HostName, said("Its name: zun-compute.")]


class DisableService(ServiceName, kw_only=True):
    """Which service takes nothing new, and why."""

    disabled_reason: Annotated[forms.Zone | None, said("For those who wonder.")] = None


class ForceDownService(ServiceName, kw_only=True):
    """Which service counts as down whatever its host says."""

    forced_down: Annotated[values.PlainTruth, said("true: it counts as down; false: it counts as what it is.")]


class DeleteService(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which service is forgotten; its host may stand in the path."""

    host: Annotated[HostName | None, said("The name of its host, unless that stands in the path.")] = None
    binary: Annotated[HostName, said("Its name: zun-compute.")]


PAGING: Form[Paging] = Form(params=Paging, strict=False)
SERVICE: Form[ServiceName] = Form(params=ServiceName)
DISABLE: Form[DisableService] = Form(params=DisableService)
FORCE_DOWN: Form[ForceDownService] = Form(params=ForceDownService)
DELETE: Form[DeleteService] = Form(params=DeleteService)

# What is shown.


class Service(Struct, kw_only=True):
    """What runs on a host for Higgins: its agent."""

    id: int
    host: str
    binary: str
    state: Literal["up", "down"]
    disabled: bool
    disabled_reason: str | None
    forced_down: bool
    report_count: int
    last_seen_up: str | None
    created_at: str
    updated_at: str | None
    availability_zone: str


class ServiceList(Struct):
    """All services."""

    services: list[Service]


class Enabled(Struct, kw_only=True):
    """Whether a service takes new containers."""

    host: str
    binary: str
    disabled: bool
    disabled_reason: str | None


class EnabledService(Struct):
    """The answer to an enable and a disable."""

    service: Enabled


class Forced(Struct, kw_only=True):
    """Whether a service counts as down."""

    host: str
    binary: str
    forced_down: bool


class ForcedService(Struct):
    """The answer to a force_down."""

    service: Forced


class Host(Struct, kw_only=True):
    """One host. Memory is in MiB, disk in GiB; what is used is what is booked."""

    uuid: str
    links: list[Link]
    hostname: str
    mem_total: int
    mem_used: int
    cpus: int
    cpu_used: float
    disk_total: int
    disk_used: int
    disk_quota_supported: bool
    total_containers: int
    architecture: str
    os_type: str
    os: str
    kernel_version: str
    labels: Mapping[str, str]
    runtimes: Sequence[str]
    enable_cpu_pinning: bool
    runtime: Annotated[str | UnsetType, said("From version 1.41 on. What runs its containers.")] = UNSET
    runtime_version: Annotated[str | UnsetType, said("From version 1.41 on. Its version.")] = UNSET
    default_runtime: Annotated[
        str | UnsetType, said("From version 1.41 on. The OCI runtime of those who ask for none.")
    ] = UNSET
    capabilities: Annotated[
        Sequence[str] | UnsetType, said("From version 1.41 on. What it can do beyond what every host can.")
    ] = UNSET
    availability_zone: Annotated[str | UnsetType, said("From version 1.41 on. Its zone.")] = UNSET
    state: Annotated[str | UnsetType, said("From version 1.41 on. up or down.")] = UNSET


class HostList(Struct):
    """A page of hosts."""

    hosts: list[Host]
    next: str | None


class Zone(Struct):
    """One availability zone."""

    availability_zone: str


class ZoneList(Struct):
    """A page of availability zones."""

    availability_zones: list[Zone]
    next: str | None


class Capabilities(Struct, kw_only=True):
    """What can be asked of the hosts that take new containers."""

    runtimes: Sequence[str]
    capabilities: Sequence[str]
    architectures: Sequence[str]
    default_runtime: str | None
    """null where it depends on the host."""


# The verbs.


async def services(door: Door, ask: Ask[Any]) -> Answer:
    """Every service, with whether it is up and takes new containers."""
    found = await door.services.fleet.services(ask.caller)
    return Answer(_encode(ServiceList([_service(one) for one in found])))


async def enable(door: Door, ask: Ask[ServiceName]) -> Answer:
    """Let a service take new containers again."""
    asked = ask.params
    return _enabled(await door.services.fleet.enable(ask.caller, asked.host, asked.binary))


async def disable(door: Door, ask: Ask[DisableService]) -> Answer:
    """Let a service take nothing new; what it has stays."""
    asked = ask.params
    return _enabled(await door.services.fleet.disable(ask.caller, asked.host, asked.binary, asked.disabled_reason))


async def force_down(door: Door, ask: Ask[ForceDownService]) -> Answer:
    """Say that a service is down, whatever its host says; or take that back."""
    asked = ask.params
    host = await door.services.fleet.force_down(ask.caller, asked.host, asked.binary, forced=bool(asked.forced_down))
    return Answer(_encode(ForcedService(Forced(host=host.name, binary=BINARY, forced_down=host.forced_down))))


async def forget(door: Door, ask: Ask[DeleteService]) -> Answer:
    """Forget a service, and its host with it."""
    name = ask.path[0] if ask.path else ask.params.host
    if name is None:
        raise form.missing("host")
    await door.services.fleet.forget(ask.caller, name, ask.params.binary)
    return NULL


async def list_(door: Door, ask: Ask[Paging]) -> Answer:
    """The hosts."""
    found = [_host(one, ask) for one in await door.services.fleet.hosts(ask.caller)]
    page, following = _page(found, ask.params, door, _HOST_KEYS, lambda one: one.uuid)
    return Answer(_encode(HostList(page, f"{ask.address}/v1/hosts?{following}" if following else None)))


async def show(door: Door, ask: Ask[Any]) -> Answer:
    """One host."""
    return Answer(_encode(_host(await door.services.fleet.host(ask.caller, ask.path[0]), ask)))


async def zones(door: Door, ask: Ask[Paging]) -> Answer:
    """The availability zones in which there are hosts."""
    found = [Zone(one) for one in await door.services.fleet.zones(ask.caller)]
    page, following = _page(found, ask.params, door, ("availability_zone",), lambda one: one.availability_zone)
    address = f"{ask.address}/v1/availability_zones"
    return Answer(_encode(ZoneList(page, f"{address}?{following}" if following else None)))


async def capabilities(door: Door, ask: Ask[Any]) -> Answer:
    """What can be asked of the hosts, without telling which has what."""
    offer = await door.services.fleet.offer(ask.caller)
    return Answer(
        _encode(
            Capabilities(
                runtimes=offer.runtimes,
                capabilities=offer.capabilities,
                architectures=offer.architectures,
                default_runtime=offer.default_runtime,
            )
        )
    )


def _service(host: model.Host) -> Service:
    return Service(
        # Nothing is found by it; clients only want a number that stays the same.
        id=int(host.id[:7], 16),
        host=host.name,
        binary=BINARY,
        state="down" if host.down else "up",
        disabled=not host.enabled,
        disabled_reason=host.disabled_reason,
        forced_down=host.forced_down,
        report_count=host.beats,
        last_seen_up=_instant(host.seen_at),
        created_at=_instant(host.created_at) or "",
        updated_at=_instant(host.seen_at),
        availability_zone=host.availability_zone,
    )


def _enabled(host: model.Host) -> Answer:
    word = Enabled(host=host.name, binary=BINARY, disabled=not host.enabled, disabled_reason=host.disabled_reason)
    return Answer(_encode(EnabledService(word)))


def _host(host: model.Host, ask: Ask[Any]) -> Host:
    told = host.inventory or Inventory(runtime="")
    shown = Host(
        uuid=host.id,
        links=[Link(f"{ask.address}/v1/hosts/{host.id}", "self"), Link(f"{ask.address}/hosts/{host.id}", "bookmark")],
        hostname=host.name,
        mem_total=told.capacity.memory,
        mem_used=host.allocated.memory,
        cpus=int(told.capacity.cpu),
        cpu_used=host.allocated.cpu,
        disk_total=told.capacity.disk,
        disk_used=host.allocated.disk,
        # Whether an engine can limit a disk is not told by it; it is found out when a container asks for that.
        disk_quota_supported=False,
        total_containers=told.containers,
        architecture=told.architecture,
        os_type=told.os_type,
        os=told.os,
        kernel_version=told.kernel_version,
        labels=told.labels,
        runtimes=told.handlers,
        enable_cpu_pinning=False,
        runtime=told.runtime,
        runtime_version=told.runtime_version,
        default_runtime=told.default_handler,
        capabilities=told.capabilities,
        availability_zone=host.availability_zone,
        state="down" if host.down else "up",
    )
    return shown if ask.version >= OURS else _before_1_41(shown)


def _before_1_41(shown: Host) -> Host:
    for name in ("runtime", "runtime_version", "default_runtime", "capabilities", "availability_zone", "state"):
        setattr(shown, name, UNSET)
    return shown


def _instant(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


# Pages of what is so little that it is read whole.

_HOST_KEYS = (
    *("hostname", "uuid", "mem_total", "mem_used", "cpus", "cpu_used", "disk_total", "disk_used"),
    *("total_containers", "architecture", "os_type", "os", "kernel_version"),
)
T = TypeVar("T", Host, Zone)


def _page(
    found: Sequence[T], asked: Paging, door: Door, keys: Sequence[str], name: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """The page that was asked for, and the query of the next one. The first of `keys` is the order of those who ask for none."""
    key = asked.sort_key or keys[0]
    translate.check_order(key, asked.sort_dir, keys)
    backwards = asked.sort_dir == "desc"
    ordered = sorted(found, key=lambda one: (getattr(one, key), name(one)), reverse=backwards)
    begin = 0
    if asked.marker is not None:
        names = [name(one) for one in ordered]
        if asked.marker not in names:
            raise errors.NotFound(f"The marker {asked.marker} is not in this list.", code="resource-not-found")
        begin = names.index(asked.marker) + 1
    limit = min(door.max_limit, asked.limit or door.max_limit)
    page = ordered[begin : begin + limit]
    if begin + limit >= len(ordered):
        return page, None
    pairs = {"sort_key": key, "sort_dir": "desc" if backwards else "asc", "limit": limit, "marker": name(page[-1])}
    return page, urlencode(pairs)
