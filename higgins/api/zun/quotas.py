"""Quotas and quota classes: what is asked, what is shown, and the verbs in between."""

from typing import Annotated, Any

import msgspec
from msgspec import Struct

from higgins.api.zun import values
from higgins.api.zun.form import Form, invalid
from higgins.api.zun.values import said
from higgins.api.zun.verbs import NULL, Answer, Ask, Door
from higgins.logic.quota import MICRO
from higgins.model import quota as model
from higgins.model.ids import ProjectId

_encode = msgspec.json.Encoder().encode

_LONGEST_PROJECT = 64
_LONGEST_CLASS = 255

# What is asked.


class GetQuota(Struct, kw_only=True):
    """Whether what is in use is told as well."""

    usages: Annotated[
        values.Text | None, said("With what is in use; anything but an empty value asks for it, as in Zun.")
    ] = None


class UpdateQuota(Struct, forbid_unknown_fields=True, kw_only=True):
    """Limits to be set; those that are left out stay as they are. -1 is no limit."""

    containers: Annotated[values.Ceiling | None, said("The most containers.")] = None
    memory: Annotated[values.Ceiling | None, said("The most memory of all containers together, in MiB.")] = None
    disk: Annotated[values.Ceiling | None, said("The most disk of all containers together, in GiB.")] = None
    cpu: Annotated[values.Ceiling | None, said("The most cores of all containers together.")] = None


GET: Form[GetQuota] = Form(params=GetQuota, strict=False)
UPDATE: Form[UpdateQuota] = Form(params=UpdateQuota)

# What is shown.


class Limits(Struct, kw_only=True):
    """Limits in force. -1 is none."""

    containers: int
    memory: int
    disk: int
    cpu: int


class Use(Struct, kw_only=True):
    """A limit, and how much of it is in use."""

    limit: int
    in_use: int | float


class Quota(Struct, kw_only=True):
    """Limits in force; with `usages`, each with what is in use."""

    containers: int | Use
    memory: int | Use
    disk: int | Use
    cpu: int | Use


# The verbs.


async def show(door: Door, ask: Ask[GetQuota]) -> Answer:
    """The limits of a project."""
    quota = await door.services.quotas.show(ask.caller, _project(ask))
    if not ask.params.usages:
        return _limits(quota.limits)
    limits, used = quota.limits, quota.used
    return Answer(
        _encode(
            Quota(
                containers=Use(limit=limits.containers, in_use=used.containers),
                memory=Use(limit=limits.memory, in_use=used.memory),
                disk=Use(limit=limits.disk, in_use=used.disk),
                cpu=Use(limit=limits.cpu, in_use=used.microcores / MICRO),
            )
        )
    )


async def defaults(door: Door, ask: Ask[Any]) -> Answer:
    """The limits of a project that has none of its own."""
    project = _project(ask) if ask.path else ask.caller.project_id
    return _limits(await door.services.quotas.defaults(ask.caller, project))


async def update(door: Door, ask: Ask[UpdateQuota]) -> Answer:
    """Give a project limits of its own."""
    return _limits(await door.services.quotas.update(ask.caller, _project(ask), _overrides(ask.params)))


async def delete(door: Door, ask: Ask[Any]) -> Answer:
    """Let the limits of everybody hold for a project again."""
    await door.services.quotas.delete(ask.caller, _project(ask))
    return NULL


async def show_class(door: Door, ask: Ask[Any]) -> Answer:
    """The limits of a quota class."""
    return _limits(await door.services.quotas.show_class(ask.caller, _class(ask)))


async def update_class(door: Door, ask: Ask[UpdateQuota]) -> Answer:
    """Change the limits of a quota class; those of the class `default` hold for every project that has none of its own."""
    return _limits(await door.services.quotas.update_class(ask.caller, _class(ask), _overrides(ask.params)))


def _project(ask: Ask[Any]) -> ProjectId:
    return ProjectId(_named(ask, "project", "the id of a project", _LONGEST_PROJECT))


def _class(ask: Ask[Any]) -> str:
    return _named(ask, "quota_class", "the name of a class", _LONGEST_CLASS)


def _named(ask: Ask[Any], field: str, what: str, longest: int) -> str:
    (name,) = ask.path
    if len(name) > longest:
        raise invalid(field, f"It must be {what}, of at most {longest} characters.", value=name)
    return name


def _overrides(asked: UpdateQuota) -> model.Overrides:
    return model.Overrides(
        containers=_plain(asked.containers),
        memory=_plain(asked.memory),
        disk=_plain(asked.disk),
        cpu=_plain(asked.cpu),
    )


def _plain(limit: values.Ceiling | None) -> int | None:
    return None if limit is None else int(limit)


def _limits(limits: model.Limits) -> Answer:
    return Answer(_encode(Limits(containers=limits.containers, memory=limits.memory, disk=limits.disk, cpu=limits.cpu)))
