"""Images: what is asked, what is shown, and the verbs in between."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from higgins.api.zun import form, forms, values
from higgins.api.zun.form import Form, Unoffered
from higgins.api.zun.lists import Paging, following, query
from higgins.api.zun.microversion import OURS, Version
from higgins.api.zun.values import said
from higgins.api.zun.verbs import NULL, Answer, Ask, Door
from higgins.api.zun.views import Link, Progress
from higgins.model import image as model
from higgins.model.ids import ImageId, made_by
from higgins.model.live import Hit

_encode = msgspec.json.Encoder().encode

HostRef = Annotated[str, Meta(min_length=2, max_length=255)]

# What is asked.


class PullImage(Struct, forbid_unknown_fields=True, kw_only=True):
    """An image to be fetched to a host. Its tag stands in `repo`; what Zun accepts beside that changes nothing."""

    repo: Annotated[forms.Image, said("[REGISTRY/]NAME[:TAG][@DIGEST]. Without tag and digest: latest.")]
    host: Annotated[
        HostRef | None,
        said("The name or id of the host. From version 1.41 on it may be missing where there is only one."),
    ] = None
    image_id: Annotated[str | None, said("Changes nothing.")] = None
    tag: Annotated[str | None, said("Changes nothing.")] = None
    size: Annotated[Annotated[str, Meta(pattern="^[0-9]+[bBkKmMgG]?$(?!\n)")] | None, said("Changes nothing.")] = None
    image_pull_policy: Annotated[
        Literal["never", "always", "ifnotpresent", "Never", "Always", "IfNotPresent"] | None, said("Changes nothing.")
    ] = None


class SearchImages(Struct, forbid_unknown_fields=True, kw_only=True):
    """How it is searched."""

    image_driver: Annotated[
        Literal["docker", "glance"] | None, said("Where it is searched; nothing: in a registry.")
    ] = None
    exact_match: Annotated[values.PlainTruth | None, said("Only those that are called exactly so.")] = None


def _host_needed(version: Version, params: PullImage) -> PullImage:
    if version < OURS and params.host is None:
        raise form.missing("host")
    return params


PULL: Form[PullImage] = Form(params=PullImage, query=(), steps=(_host_needed,))
LIST: Form[Paging] = Form(params=Paging, strict=False)
SEARCH: Form[SearchImages] = Form(
    params=SearchImages,
    unoffered=(Unoffered("image_driver", "images from Glance", lambda s: s.image_driver == "glance"),),
)

# What is shown.


class Image(Struct, kw_only=True):
    """An image on a host. Its size is bytes, once it is there."""

    uuid: str
    links: list[Link]
    repo: str
    tag: str
    image_id: Annotated[str | None, said("The digest, once it is there.")]
    size: Annotated[str | None, said("Bytes, once it is there.")]
    project_id: str
    host: str
    state: Annotated[str | UnsetType, said("From version 1.41 on. How far it is.")] = UNSET
    reason: Annotated[str | UnsetType | None, said("From version 1.41 on. What went wrong.")] = UNSET
    progress: Annotated[
        Progress | UnsetType | None, said("From version 1.41 on. How much of it is there, while it is fetched.")
    ] = UNSET


class ImageList(Struct):
    """A page of images."""

    images: list[Image]
    next: str | None


class Metadata(Struct, kw_only=True):
    """What a registry says of an image."""

    is_official: bool
    star_count: int


class Match(Struct, kw_only=True):
    """One image that was found."""

    name: str
    description: str
    tags: Sequence[str]
    metadata: Metadata


# The verbs.


async def pull(door: Door, ask: Ask[PullImage]) -> Answer:
    """Have an image fetched to a host."""
    image_id = ImageId(made_by(ask.request))
    image = await door.services.images.pull(ask.caller, image_id, ask.params.repo, ask.params.host)
    return Answer(_encode(_image(image, ask)), {"Location": f"{ask.address}/v1/images/{image.id}"})


async def list_(door: Door, ask: Ask[Paging]) -> Answer:
    """The images that the caller's project has asked for."""
    wanted = query(ask.params, door.max_limit, model.SORT_KEYS)
    part = await door.services.images.list(ask.caller, wanted)
    shown = [_image(one, ask) for one in part.items]
    return Answer(_encode(ImageList(shown, following(ask, "images", wanted, part))))


async def show(door: Door, ask: Ask[Any]) -> Answer:
    """One image."""
    return Answer(_encode(_image(await door.services.images.show(ask.caller, ask.path[0]), ask)))


async def delete(door: Door, ask: Ask[Any]) -> Answer:
    """Remove an image from its host."""
    await door.services.images.delete(ask.caller, ask.path[0])
    return NULL


async def search(door: Door, ask: Ask[SearchImages]) -> Answer:
    """What a registry has by that name, or a part of it. A registry's domain may stand in front."""
    hits = await door.services.images.search(ask.caller, ask.path[0], exact=bool(ask.params.exact_match))
    return Answer(_encode([_match(hit) for hit in hits]))


def _image(image: model.Image, ask: Ask[Any]) -> Image:
    shown = Image(
        uuid=image.id,
        links=[
            Link(f"{ask.address}/v1/images/{image.id}", "self"),
            Link(f"{ask.address}/images/{image.id}", "bookmark"),
        ],
        repo=image.repo,
        tag=image.tag,
        image_id=image.digest,
        size=None if image.size is None else str(image.size),
        project_id=image.project_id,
        host=image.host,
    )
    if ask.version >= OURS:
        shown.state = image.state.value
        shown.reason = image.reason
        shown.progress = _progress(image)
    return shown


def _progress(image: model.Image) -> Progress | None:
    if image.progress is None:
        return None
    known = image.progress
    return Progress(layers=known.layers, layers_done=known.layers_done, size=known.size, done=known.done)


def _match(hit: Hit) -> Match:
    metadata = Metadata(is_official=hit.official, star_count=hit.stars)
    return Match(name=hit.name, description=hit.description, tags=hit.tags, metadata=metadata)
