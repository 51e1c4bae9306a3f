"""Security groups, and which containers have them: what is asked, what is shown, and the verbs in between."""

from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from higgins.api.zun import form, values, views
from higgins.api.zun.form import Form
from higgins.api.zun.forms import Name, Several
from higgins.api.zun.lists import Paging, following, query
from higgins.api.zun.reach import Ref
from higgins.api.zun.values import said
from higgins.api.zun.verbs import EMPTY, NULL, Answer, Ask, Door
from higgins.api.zun.views import Link
from higgins.model import network as model
from higgins.model.ids import SecurityGroupId, made_by
from higgins.service.security_groups import SORT_KEYS

_encode = msgspec.json.Encoder().encode

_MOST_RULES = 100

# What is asked.


class NewRule(Struct, forbid_unknown_fields=True, kw_only=True):
    """Some of what may come in."""

    protocol: Annotated[Literal["tcp", "udp", "icmp"] | None, said("Nothing: any.")] = None
    port_min: Annotated[values.PortNumber | None, said("The first port, with tcp and udp; nothing: all of them.")] = (
        None
    )
    port_max: Annotated[values.PortNumber | None, said("The last port; nothing: the first is the only one.")] = None
    source: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        said("From where: a subnet such as 10.0.0.0/8, or an address; nothing: from anywhere."),
    ] = None


class CreateSecurityGroup(Struct, forbid_unknown_fields=True, kw_only=True):
    """A security group to be made."""

    name: Annotated[Name, said("Its name in the project; several may have the same.")]
    rules: Annotated[
        Annotated[list[NewRule], Meta(max_length=_MOST_RULES)] | None,
        said("What may come in; nothing: nothing. They never change: for others make another group."),
    ] = None


class ListSecurityGroups(Paging, forbid_unknown_fields=True, kw_only=True):
    """Which security groups, in which order, and which page of them."""

    name: Annotated[Several | None, said("Only those of this name. Repeated: of any of them.")] = None
    all_projects: Annotated[values.AnyTruth | None, said("Those of all projects. Admins only.")] = None


class NameGroup(Struct, forbid_unknown_fields=True, kw_only=True):
    """A security group."""

    name: Annotated[Ref, said("The group, by id or name.")]


CREATE: Form[CreateSecurityGroup] = Form(params=CreateSecurityGroup, query=(), placed=("rules",))
LIST: Form[ListSecurityGroups] = Form(params=ListSecurityGroups)
NAMED: Form[NameGroup] = Form(params=NameGroup)

# What is shown.


class SecurityRule(Struct, kw_only=True):
    """Some of what may come in; null: any."""

    protocol: str | None
    port_min: int | None
    port_max: int | None
    source: str | None


class SecurityGroup(Struct, kw_only=True):
    """A security group."""

    uuid: str
    links: list[Link] | UnsetType = UNSET
    name: str
    project_id: str
    rules: list[SecurityRule]
    created_at: str


class SecurityGroupList(Struct):
    """A page of security groups."""

    security_groups: list[SecurityGroup]
    next: str | None


# The verbs.


async def create(door: Door, ask: Ask[CreateSecurityGroup]) -> Answer:
    """Make a security group."""
    rules = [rule(one, f"rules[{number}]") for number, one in enumerate(ask.params.rules or ())]
    made = await door.services.security_groups.create(
        ask.caller, SecurityGroupId(made_by(ask.request)), name=ask.params.name, rules=rules
    )
    return Answer(_one(made, ask), {"Location": f"{ask.address}/v1/security_groups/{made.id}"})


async def list_(door: Door, ask: Ask[ListSecurityGroups]) -> Answer:
    """The security groups of the caller's project."""
    asked = ask.params
    wanted = query(asked, door.max_limit, SORT_KEYS, {"name": asked.name}, all_projects=bool(asked.all_projects))
    part = await door.services.security_groups.list(ask.caller, wanted)
    shown = [_view(one) for one in part.items]
    return Answer(_encode(SecurityGroupList(shown, following(ask, "security_groups", wanted, part))))


async def show(door: Door, ask: Ask[Any]) -> Answer:
    """One security group."""
    return Answer(_one(await door.services.security_groups.show(ask.caller, ask.path[0]), ask))


async def delete(door: Door, ask: Ask[Any]) -> Answer:
    """Forget a security group that no container has."""
    await door.services.security_groups.delete(ask.caller, ask.path[0])
    return EMPTY


async def add(door: Door, ask: Ask[NameGroup]) -> Answer:
    """Give a container one more security group, whether or not it runs."""
    await door.services.containers.add_security_group(ask.caller, ask.request, ask.path[0], ask.params.name)
    return NULL


async def remove(door: Door, ask: Ask[NameGroup]) -> Answer:
    """Take a security group from a container, whether or not it runs."""
    await door.services.containers.remove_security_group(ask.caller, ask.request, ask.path[0], ask.params.name)
    return NULL


def rule(asked: NewRule, place: str) -> model.Rule:
    """One rule. Raises Invalid for what contradicts itself, with its place."""
    first, last = asked.port_min, asked.port_max
    if first is None and last is not None:
        raise form.invalid(f"{place}.port_max", "It needs port_min beside it.", value=last)
    if first is not None and asked.protocol not in ("tcp", "udp"):
        raise form.invalid(
            f"{place}.port_min", "Only tcp and udp have ports; name one of them as protocol.", value=first
        )
    if first is not None and last is not None and last < first:
        raise form.invalid(f"{place}.port_max", f"It is below port_min, {first}.", value=last)
    return model.Rule(
        protocol=asked.protocol,
        first=None if first is None else int(first),
        last=None if first is None else int(last or first),
        source=None if asked.source is None else _source(asked.source, f"{place}.source"),
    )


def _source(text: str, place: str) -> str:
    try:
        return str(IPv4Network(text))
    except ValueError as error:
        allowed = "It must be a subnet or an address of IPv4, such as 10.0.0.0/8 or 10.0.0.7."
        raise form.invalid(place, allowed, value=text) from error


def _one(group: model.SecurityGroup, ask: Ask[Any]) -> bytes:
    shown = _view(group)
    shown.links = [
        Link(f"{ask.address}/v1/security_groups/{group.id}", "self"),
        Link(f"{ask.address}/security_groups/{group.id}", "bookmark"),
    ]
    return _encode(shown)


def _view(group: model.SecurityGroup) -> SecurityGroup:
    return SecurityGroup(
        uuid=group.id,
        name=group.name,
        project_id=group.project_id,
        rules=[
            SecurityRule(protocol=one.protocol, port_min=one.first, port_max=one.last, source=one.source)
            for one in group.rules
        ],
        created_at=views.moment(group.created_at),
    )
