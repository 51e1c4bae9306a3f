"""What a request says about mounts: volumes, files and memory, and what has to be made for them."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from higgins import errors
from higgins.api.zun import values
from higgins.api.zun.form import invalid
from higgins.api.zun.microversion import OURS, Version
from higgins.api.zun.values import said
from higgins.model import volume as model
from higgins.model.identity import Caller
from higgins.model.ids import FileId, RequestId, VolumeId, made_by
from higgins.model.volume import MountKind, NewVolume, Storage, destination
from higgins.service.volumes import Volumes

LARGEST = 16000
"""GiB of a volume. It lies in one file, which most file systems let be just below 16 TiB long."""
_MOST = 64
"""Mounts of a container."""
_FILE = 64 * 1024
_FILES = 256 * 1024
"""Bytes of all files of a container."""


class MountAsked(Struct, forbid_unknown_fields=True, kw_only=True):
    """Something to be mounted."""

    destination: Annotated[Annotated[str, Meta(min_length=1)], said("Where: an absolute path in the container.")]
    type: Annotated[
        Literal["volume", "bind", "tmpfs"] | None,
        said("A volume, which is also meant by nothing; a file; or, from version 1.41 on, a directory in memory."),
    ] = None
    source: Annotated[
        str | None,
        said(
            "Which volume, by name or id; empty: a new one, which goes with the container. Of a file: its content in base64, 64 KiB of it at most."
        ),
    ] = None
    size: Annotated[
        values.Count | None, said("Of a new volume: its size in GiB. Of memory: in MiB, half of the host's by default.")
    ] = None
    read_only: Annotated[
        values.PlainTruth | None, said("From version 1.41 on. Whether the container can only read it.")
    ] = None


Mounts = Annotated[list[MountAsked], Meta(max_length=_MOST)]


def check(version: Version, asked: Sequence[MountAsked]) -> None:
    """Raises Invalid, naming the place, for what contradicts itself or came with a later version."""
    taken: set[str] = set()
    for number, one in enumerate(asked):
        place = f"mounts[{number}]"
        if version < OURS and (one.type == "tmpfs" or one.read_only is not None):
            word = "tmpfs" if one.type == "tmpfs" else "read_only"
            raise invalid(place, f"{word} exists from version {OURS} on.")
        where = path(one.destination, f"{place}.destination", taken)
        match one.type:
            case "tmpfs" if one.source:
                raise invalid(f"{place}.source", "What is in memory is empty at first; leave it out.")
            case "bind" if one.source is None:
                raise invalid(f"{place}.source", "It must be the content of the file in base64.")
            case "volume" | None if not one.source and one.size is None:
                raise invalid(place, f"What is mounted at {where} must have a source or a size.")
            case "volume" | None if not one.source:
                check_size(one.size, f"{place}.size")


def check_size(size: int | None, place: str) -> None:
    """Raises Invalid for a volume that cannot be so small or so large."""
    if size is None or not 1 <= size <= LARGEST:
        raise invalid(place, f"It must be a whole number of GiB from 1 to {LARGEST}.", value=size)


def path(asked: str, place: str, taken: set[str]) -> str:
    """Where something is mounted, as it is kept; added to what is taken. Raises Invalid for what is no such place, or taken."""
    try:
        where = destination(asked)
    except errors.Invalid as wrong:
        raise invalid(place, wrong.message, value=asked) from wrong
    if where in taken:
        raise invalid(place, "Something else is mounted there already.", value=asked)
    taken.add(where)
    return where


async def meant(
    asked: Sequence[MountAsked], volumes: Volumes, caller: Caller, request: RequestId
) -> tuple[tuple[model.Mount, ...], Storage]:
    """The mounts, and what has to be made for them. Raises NotFound for a volume that the caller's project does not have, Invalid for what is no file."""
    mounts: list[model.Mount] = []
    new: list[NewVolume] = []
    files: dict[FileId, bytes] = {}
    for number, one in enumerate(asked):
        where, read_only, part = destination(one.destination), bool(one.read_only), f"mount {number}"
        match one.type:
            case "tmpfs":
                size = int(one.size or 0)
                mount = model.Mount(kind=MountKind.TMPFS, destination=where, size=size, read_only=read_only)
            case "bind":
                file = FileId(made_by(request, part))
                files[file] = _content(one.source or "", f"mounts[{number}].source")
                mount = model.Mount(kind=MountKind.FILE, destination=where, file=file, read_only=read_only)
            case _:
                if one.source:
                    volume = (await volumes.find(caller, one.source)).id
                else:
                    volume = VolumeId(made_by(request, part))
                    new.append(NewVolume(id=volume, size=int(one.size or 0), auto_remove=True))
                mount = model.Mount(kind=MountKind.VOLUME, destination=where, volume=volume, read_only=read_only)
        mounts.append(mount)
    if sum(map(len, files.values())) > _FILES:
        raise invalid("mounts", f"All files together are longer than {_FILES} bytes; use a volume.")
    return tuple(mounts), Storage(volumes=tuple(new), files=files)


class Mount(Struct, kw_only=True):
    """Something that is mounted into a container."""

    type: Literal["volume", "bind", "tmpfs"]
    destination: str
    source: Annotated[str | None, said("The id of a volume.")]
    size: Annotated[int | None, said("MiB of what is in memory; null: what the host gives by itself.")]
    read_only: bool


def shown(mounts: Sequence[model.Mount]) -> list[Mount]:
    """What is mounted, without what lies in files."""
    return [
        Mount(
            type=one.kind.value,
            destination=one.destination,
            source=one.volume,
            size=one.size or None,
            read_only=one.read_only,
        )
        for one in mounts
    ]


class TemplateCinder(Struct, kw_only=True):
    """Which volume it is."""

    volume_id: Annotated[str | None, said("The id or the name of one that is there.")] = field(
        default=None, name="volumeID"
    )
    size: Annotated[values.Count | None, said("Of a new one: its size in GiB; 0: without limit.")] = None
    auto_remove: Annotated[
        values.PlainTruth | None, said("Whether a new one goes with the capsule; nothing: it stays.")
    ] = field(default=None, name="autoRemove")


class TemplateVolume(Struct, kw_only=True, rename="camel"):
    """A volume that containers of the capsule mount. Other keys change nothing."""

    name: Annotated[Annotated[str, Meta(min_length=1, max_length=255)], said("What the containers call it.")]
    cinder: Annotated[TemplateCinder, said("Which volume it is.")]


class TemplateMount(Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Where a container mounts a volume."""

    name: Annotated[Annotated[str, Meta(min_length=1, max_length=255)], said("One of the capsule's volumes.")]
    mount_path: Annotated[Annotated[str, Meta(min_length=1)], said("Where: an absolute path in the container.")]
    read_only: Annotated[values.PlainTruth | None, said("Whether it can only read it.")] = None


async def of_template(
    asked: Sequence[TemplateVolume], place: str, volumes: Volumes, caller: Caller, request: RequestId
) -> tuple[Mapping[str, VolumeId], Storage]:
    """The volumes by what the containers call them, and those that have to be made. Raises NotFound for one that the caller's project does not have,
    Invalid for what contradicts itself."""
    found: dict[str, VolumeId] = {}
    new: list[NewVolume] = []
    for number, one in enumerate(asked):
        where, cinder = f"{place}[{number}]", one.cinder
        if one.name in found:
            raise invalid(f"{where}.name", "Another volume has this name.", value=one.name)
        # Zun's own words would be of no help: both, and neither, are a 500 there.
        if (not cinder.volume_id) == (cinder.size is None):
            raise invalid(f"{where}.cinder", "It must have either volumeID or size.")
        if cinder.volume_id:
            found[one.name] = (await volumes.find(caller, cinder.volume_id)).id
            continue
        if cinder.size:
            check_size(cinder.size, f"{where}.cinder.size")
        found[one.name] = VolumeId(made_by(request, f"volume {number}"))
        new.append(NewVolume(id=found[one.name], size=int(cinder.size or 0), auto_remove=bool(cinder.auto_remove)))
    return found, Storage(volumes=tuple(new))


def in_template(asked: Sequence[TemplateMount], place: str, volumes: Mapping[str, VolumeId]) -> tuple[model.Mount, ...]:
    """What one container of a capsule mounts. Raises Invalid for a volume that the capsule does not have, and for what is no place."""
    mounts: list[model.Mount] = []
    taken: set[str] = set()
    for number, one in enumerate(asked):
        if one.name not in volumes:
            known = ", ".join(volumes) or "none"
            raise invalid(
                f"{place}[{number}].name", f"It must be one of the capsule's volumes: {known}.", value=one.name
            )
        where = path(one.mount_path, f"{place}[{number}].mountPath", taken)
        mounts.append(
            model.Mount(
                kind=MountKind.VOLUME, destination=where, volume=volumes[one.name], read_only=bool(one.read_only)
            )
        )
    return tuple(mounts)


def _content(source: str, place: str) -> bytes:
    try:
        # Some encoders break lines.
        content = base64.b64decode("".join(source.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.Invalid(
            f"Invalid input for field '{place}'. It is no base64: {error}.", code="base-64-exception"
        ) from error
    if len(content) > _FILE:
        raise invalid(place, f"The file is longer than {_FILE} bytes; use a volume.")
    return content
