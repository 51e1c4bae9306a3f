"""Registries: what is asked, what is shown, and the verbs in between."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from higgins.api.zun import values
from higgins.api.zun.form import Form
from higgins.api.zun.forms import Name, Several
from higgins.api.zun.lists import Paging, following, query
from higgins.api.zun.values import said
from higgins.api.zun.verbs import EMPTY, Answer, Ask, Door
from higgins.api.zun.views import Link
from higgins.model import registry as model
from higgins.model.ids import RegistryId, made_by
from higgins.service.registries import Given

_encode = msgspec.json.Encoder().encode

Domain = Annotated[str, Meta(min_length=1, max_length=255)]
User = Annotated[str, Meta(max_length=255, pattern="^[^:\n]*$(?!\n)")]
Password = Annotated[str, Meta(max_length=4096)]

_HIDDEN = "***"
"""What every password looks like, also one that there is not."""

# What is asked.


class NewRegistry(Struct, forbid_unknown_fields=True, kw_only=True):
    """A registry, and the credentials for it."""

    domain: Annotated[Domain, said("Where it is: a host name, with a port where need be.")]
    name: Annotated[Name | None, said("Its name in the project.")] = None
    username: Annotated[User | None, said("Who logs in there.")] = None
    password: Annotated[Password | None, said("With which password; never given back.")] = None


class CreateRegistry(Struct, forbid_unknown_fields=True, kw_only=True):
    """A registry to be stored."""

    registry: Annotated[NewRegistry, said("The registry.")]


class ChangedRegistry(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be different; null is refused, and an empty username or password takes it away."""

    name: Annotated[Name | UnsetType, said("Its new name.")] = UNSET
    domain: Annotated[Domain | UnsetType, said("Where it is now.")] = UNSET
    username: Annotated[User | UnsetType, said("Who logs in there.")] = UNSET
    password: Annotated[Password | UnsetType, said("With which password; never given back.")] = UNSET


class UpdateRegistry(Struct, forbid_unknown_fields=True, kw_only=True):
    """A registry to be changed."""

    registry: Annotated[ChangedRegistry, said("What is to be different.")]


class ListRegistries(Paging, forbid_unknown_fields=True, kw_only=True):
    """Which registries, in which order, and which page of them."""

    name: Annotated[Several | None, said("Only those of this name. Repeated: of any of them; so are all filters.")] = (
        None
    )
    domain: Annotated[Several | None, said("Only those at this domain.")] = None
    username: Annotated[Several | None, said("Only those with this user.")] = None
    project_id: Annotated[
        Several | None, said("Only those of this project; wider than the caller's own only with all_projects.")
    ] = None
    user_id: Annotated[Several | None, said("Only those that this user stored.")] = None
    all_projects: Annotated[values.AnyTruth | None, said("Those of all projects. Admins only.")] = None
    # Accepted because Zun accepts them; they change nothing here.
    expand: Annotated[str | None, said("Changes nothing.")] = None
    resource_url: Annotated[str | None, said("Changes nothing.")] = None


CREATE: Form[CreateRegistry] = Form(params=CreateRegistry, query=(), secret=("registry",))
UPDATE: Form[UpdateRegistry] = Form(params=UpdateRegistry, query=(), secret=("registry",))
LIST: Form[ListRegistries] = Form(params=ListRegistries)

# What is shown.


class Registry(Struct, kw_only=True):
    """A registry. Its password is always three stars."""

    uuid: str
    links: list[Link] | UnsetType = UNSET
    name: str
    project_id: str
    user_id: str
    domain: str
    username: str | None
    password: str = _HIDDEN


class RegistryShown(Struct):
    """One registry."""

    registry: Registry


class RegistryList(Struct):
    """A page of registries."""

    registries: list[Registry]
    next: str | None


# The verbs.


async def create(door: Door, ask: Ask[CreateRegistry]) -> Answer:
    """Store a registry."""
    asked = ask.params.registry
    given = Given(name=asked.name, domain=asked.domain, username=asked.username, password=asked.password)
    made = await door.services.registries.create(ask.caller, RegistryId(made_by(ask.request)), given)
    return Answer(_one(made, ask), {"Location": f"{ask.address}/v1/registries/{made.id}"})


async def list_(door: Door, ask: Ask[ListRegistries]) -> Answer:
    """The registries of the caller's project."""
    asked = ask.params
    filters = {name: getattr(asked, name) for name in model.FILTERS}
    wanted = query(asked, door.max_limit, model.SORT_KEYS, filters, all_projects=bool(asked.all_projects))
    part = await door.services.registries.list(ask.caller, wanted)
    shown = [_registry(one) for one in part.items]
    return Answer(_encode(RegistryList(shown, following(ask, "registries", wanted, part))))


async def show(door: Door, ask: Ask[Any]) -> Answer:
    """One registry."""
    return Answer(_one(await door.services.registries.show(ask.caller, ask.path[0]), ask))


async def update(door: Door, ask: Ask[UpdateRegistry]) -> Answer:
    """Change a registry, for every image that is fetched from now on."""
    asked = ask.params.registry
    given = Given(
        name=asked.name or None,
        domain=asked.domain or None,
        username=None if asked.username is UNSET else asked.username,
        password=None if asked.password is UNSET else asked.password,
    )
    return Answer(_one(await door.services.registries.update(ask.caller, ask.path[0], given), ask))


async def delete(door: Door, ask: Ask[Any]) -> Answer:
    """Forget a registry that no container names."""
    await door.services.registries.delete(ask.caller, ask.path[0])
    return EMPTY


def _one(registry: model.Registry, ask: Ask[Any]) -> bytes:
    shown = _registry(registry)
    shown.links = [
        Link(f"{ask.address}/v1/registries/{registry.id}", "self"),
        Link(f"{ask.address}/registries/{registry.id}", "bookmark"),
    ]
    return _encode(RegistryShown(shown))


def _registry(registry: model.Registry) -> Registry:
    return Registry(
        uuid=registry.id,
        name=registry.name,
        project_id=registry.project_id,
        user_id=registry.user_id,
        domain=registry.domain,
        username=registry.username,
    )
