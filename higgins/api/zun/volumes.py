"""Volumes: what is asked, what is shown, and the verbs in between."""

from typing import Annotated, Any

import msgspec
from msgspec import Struct

from higgins.api.zun import mounts, values
from higgins.api.zun.form import Form
from higgins.api.zun.forms import Name, Several
from higgins.api.zun.lists import Paging, following, query
from higgins.api.zun.values import said
from higgins.api.zun.verbs import EMPTY, Answer, Ask, Door
from higgins.api.zun.views import Link, moment
from higgins.model import volume as model
from higgins.model.ids import VolumeId, made_by

_encode = msgspec.json.Encoder().encode

# What is asked.


class CreateVolume(Struct, forbid_unknown_fields=True, kw_only=True):
    """A volume to be made."""

    name: Annotated[Name, said("Its name in the project, which no other has.")]
    size: Annotated[values.Count | None, said("How much fits, in GiB; nothing: as much as its host has room for.")] = (
        None
    )


class ListVolumes(Paging, forbid_unknown_fields=True, kw_only=True):
    """Which volumes, in which order, and which page of them."""

    name: Annotated[Several | None, said("Only those of this name. Repeated: of any of them; so are all filters.")] = (
        None
    )
    project_id: Annotated[
        Several | None, said("Only those of this project; wider than the caller's own only with all_projects.")
    ] = None
    user_id: Annotated[Several | None, said("Only those that this user made.")] = None
    all_projects: Annotated[values.AnyTruth | None, said("Those of all projects. Admins only.")] = None


CREATE: Form[CreateVolume] = Form(params=CreateVolume, query=())
LIST: Form[ListVolumes] = Form(params=ListVolumes)

# What is shown.


class Volume(Struct, kw_only=True):
    """A volume: a directory that outlives the containers that mount it."""

    uuid: str
    links: list[Link]
    name: Annotated[str | None, said("null for one that was made along with a container.")]
    size: Annotated[int | None, said("How much fits, in GiB; null: as much as its host has room for.")]
    project_id: str
    user_id: str
    auto_remove: Annotated[bool, said("Whether it goes with the container that it was made with.")]
    users: Annotated[int, said("How many containers and capsules mount it; it cannot be deleted while any do.")]
    created_at: str


class VolumeList(Struct):
    """A page of volumes."""

    volumes: list[Volume]
    next: str | None


# The verbs.


async def create(door: Door, ask: Ask[CreateVolume]) -> Answer:
    """Make a volume. It lies on the host of the first container that mounts it."""
    asked = ask.params
    if asked.size is not None:
        mounts.check_size(asked.size, "size")
    made = await door.services.volumes.create(
        ask.caller, VolumeId(made_by(ask.request)), name=asked.name, size=int(asked.size or 0)
    )
    return Answer(_encode(_volume(made, ask)), {"Location": f"{ask.address}/v1/volumes/{made.id}"})


async def list_(door: Door, ask: Ask[ListVolumes]) -> Answer:
    """The volumes of the caller's project."""
    asked = ask.params
    filters = {name: getattr(asked, name) for name in model.FILTERS}
    wanted = query(asked, door.max_limit, model.SORT_KEYS, filters, all_projects=bool(asked.all_projects))
    part = await door.services.volumes.list(ask.caller, wanted)
    shown = [_volume(one, ask) for one in part.items]
    return Answer(_encode(VolumeList(shown, following(ask, "volumes", wanted, part))))


async def show(door: Door, ask: Ask[Any]) -> Answer:
    """One volume."""
    return Answer(_encode(_volume(await door.services.volumes.show(ask.caller, ask.path[0]), ask)))


async def delete(door: Door, ask: Ask[Any]) -> Answer:
    """Delete a volume that nobody mounts, with what lies in it."""
    await door.services.volumes.delete(ask.caller, ask.path[0])
    return EMPTY


def _volume(volume: model.Volume, ask: Ask[Any]) -> Volume:
    return Volume(
        uuid=volume.id,
        links=[
            Link(f"{ask.address}/v1/volumes/{volume.id}", "self"),
            Link(f"{ask.address}/volumes/{volume.id}", "bookmark"),
        ],
        name=volume.name or None,
        size=volume.size or None,
        project_id=volume.project_id,
        user_id=volume.user_id,
        auto_remove=volume.auto_remove,
        users=volume.users,
        created_at=moment(volume.created_at),
    )
