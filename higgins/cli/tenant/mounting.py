"""`-v` and `--tmpfs`: what people type as with docker becomes mounts."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from higgins import errors
from higgins.cli.tenant import sizes
from higgins.client.cloud import Cloud, path

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_USUAL = ("rw", "noexec", "nosuid", "nodev", "mode=1777")
"""What every directory in memory is in any case."""


def mounts(volumes: Sequence[str], memory: Sequence[str]) -> list[dict[str, Any]]:
    """The mounts that the options amount to. Raises Invalid."""
    return [*map(_volume, volumes), *map(_memory, memory)]


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
