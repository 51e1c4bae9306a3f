"""`-v`, `--mount` and `--tmpfs`: what people type as with docker becomes mounts."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from higgins import errors
from higgins.cli.tenant import completion, habits, sizes
from higgins.client.cloud import Cloud, path

OPTIONS = (
    click.option(
        "-v", "--volume", "volumes", multiple=True, metavar="NAME:/PATH[:ro]", shell_complete=completion.volumes,
        help="Mount a volume there; it is made if it is not there.",
    ),
    click.option(
        "--tmpfs", "memory_mounts", multiple=True, metavar="/PATH[:size=SIZE]", help="Have a directory in memory there."
    ),
    click.option(
        "--mount", "described", multiple=True, metavar="KEY=VALUE,...",
        help="Either in docker's longer words, such as type=volume,source=NAME,target=/PATH.",
    ),
    habits.refused("--volumes-from", why="mount the same volumes with -v NAME:/path; `higgins volume ls` lists them"),
    habits.refused("--volume-driver", why="volumes are of one kind here; leave it out"),
)  # fmt: skip
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_USUAL = ("rw", "noexec", "nosuid", "nodev", "mode=1777")
"""What every directory in memory is in any case."""
_SAME = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_DESCRIBED = ("type", "source", "target", "readonly", "tmpfs-size", "tmpfs-mode", "volume-nocopy")


def mounts(volumes: Sequence[str], memory: Sequence[str], described: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The mounts that the options amount to. Raises Invalid."""
    return [*map(_volume, volumes), *map(_memory, memory), *map(_described, described)]


def ensure(cloud: Cloud, wanted: Mapping[str, Any]) -> None:
    """Every volume that is named is there: as with docker, it is made where it is not."""
    for name in missing(cloud, wanted):
        try:
            cloud.post("/volumes", None, {"name": name})
        except errors.Conflict:
            continue  # Somebody else has just made it.


def foreseen(cloud: Cloud, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The same request, in which volumes that are not there yet are new ones: for a dry run, which makes none."""
    absent = missing(cloud, wanted)
    asked = [
        {**{key: value for key, value in one.items() if key != "source"}, "size": 1}
        if one.get("source") in absent
        else one
        for one in wanted.get("mounts", ())
    ]
    return {**wanted, "mounts": asked} if asked else dict(wanted)


def missing(cloud: Cloud, wanted: Mapping[str, Any]) -> Sequence[str]:
    """The volumes that are named and not there."""
    absent: list[str] = []
    for name in dict.fromkeys(one["source"] for one in wanted.get("mounts", ()) if "source" in one):
        try:
            cloud.get(path("volumes", name))
        except errors.NotFound:
            absent.append(name)
    return absent


def _volume(text: str) -> dict[str, Any]:
    name, *rest = text.split(":")
    if name.startswith(("/", ".", "~")):
        if not rest:
            raise errors.Invalid(f"-v {text}: give the volume a name, such as -v data:{text}")
        raise errors.Invalid(
            f"-v {text}: no directory of a host is mounted; mount a volume, such as -v data:{rest[0] or '/data'}, and copy files into "
            f"it with `higgins cp`"
        )
    if not _NAME.fullmatch(name) or not rest or not rest[0].startswith("/") or len(rest) > 2:
        raise errors.Invalid(
            f"-v {text}: it looks like NAME:/path or NAME:/path:ro; a name has two characters at least"
        )
    where, how = rest[0], rest[1] if len(rest) == 2 else "rw"
    if how not in ("ro", "rw"):
        raise errors.Invalid(f"-v {text}: after the path stands ro, rw or nothing")
    return {"source": name, "destination": where} | ({"read_only": True} if how == "ro" else {})


def _memory(text: str) -> dict[str, Any]:
    where, _, options = text.partition(":")
    found: dict[str, Any] = {"type": "tmpfs", "destination": where}
    for option in filter(None, options.split(",")):
        if option.startswith("size="):
            found["size"] = sizes.mebibytes(option.removeprefix("size="))
        elif option == "ro":
            found["read_only"] = True
        elif option not in _USUAL:
            raise errors.Invalid(f"--tmpfs {text}: {option} cannot be had; there are size=SIZE and ro")
    return found


def _described(text: str) -> dict[str, Any]:
    """What `--mount` says, as the shorter option would have it."""
    said = {_SAME.get(key, key): value for key, _, value in (part.strip().partition("=") for part in text.split(","))}
    strange = next((key for key in said if key not in _DESCRIBED), None)
    if strange is not None:
        raise errors.Invalid(
            f"--mount {text}: {strange or 'nothing'} is not understood; there are {', '.join(_DESCRIBED)}"
        )
    kind, where = said.get("type", "volume"), said.get("target", "")
    read_only = said.get("readonly") in ("", "true", "1")
    match kind:
        case "volume" if said.get("source"):
            return _volume(f"{said['source']}:{where}{':ro' if read_only else ''}")
        case "volume":
            return _volume(where or ":")
        case "tmpfs":
            size = said.get("tmpfs-size")
            return _memory(f"{where}:{f'size={size}' if size else ''}{',ro' if read_only else ''}")
        case "bind":
            return _volume(f"{said.get('source') or '.'}:{where}")
        case _:
            raise errors.Invalid(f"--mount {text}: {kind} cannot be had; its type is volume or tmpfs")
