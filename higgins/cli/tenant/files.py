"""The files of one container, as archives that come and go."""

import base64
import json
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, cast

from higgins import errors
from higgins.client.cloud import Cloud, Stream, path

TAR = "application/x-tar"
_LINK, _DIRECTORY = 1 << 27, 1 << 31
"""Bits of a mode as Go has them."""
_MOST_LINKS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is at a path."""

    path: str
    """Of itself, if a link led there."""
    name: str
    directory: bool
    size: int


class Files:
    """Those of the container with this id."""

    def __init__(self, cloud: Cloud, uuid: str) -> None:
        self._cloud = cloud
        self._uuid = uuid

    def read(self, place: str) -> tuple[Stream, Found]:
        """An archive of what is there, a link as a link unless there is a slash behind it. Raises NotFound."""
        stream, found, link = self._opened(place)
        if link and place.endswith(("/", "/.")):
            stream.close()
            there = self.look(place.removesuffix(".").rstrip("/"))
            if there is None:
                raise errors.NotFound(f"{place} is a link that leads nowhere")
            stream, found, _ = self._opened(there.path + ("/." if place.endswith("/.") else ""))
        return stream, found

    def look(self, place: str) -> Found | None:
        """What is there, after all links; None if nothing is. Raises Invalid for links that lead in a circle."""
        for _ in range(_MOST_LINKS):
            try:
                stream, found, link = self._opened(place)
            except errors.NotFound:
                return None
            stream.close()
            if not link:
                return found
            # The runtime tells where a link leads from the root on, or from where the link is.
            place = posixpath.normpath(posixpath.join(posixpath.dirname(found.path), link))
        raise errors.Invalid(f"too many links lead on from {place}")

    def write(self, directory: str, give: Callable[[IO[bytes]], None]) -> None:
        """Unpack the archive that is given, in a directory."""
        where = path("containers", self._uuid, "put_archive")
        upload, finish = self._cloud.upload("POST", where, {"path": directory}, TAR)
        give(cast(IO[bytes], upload))
        finish()

    def _opened(self, place: str) -> tuple[Stream, Found, str]:
        """The archive, what it is of, and where that leads if it is a link."""
        query = {"path": place}
        stream = self._cloud.stream(path("containers", self._uuid, "get_archive"), query, accept=TAR)
        try:
            told = json.loads(base64.b64decode(stream.headers["X-Container-Path-Stat"]))
        except (KeyError, TypeError, ValueError) as error:
            raise errors.NotAcceptable("this server is too old for `higgins cp`") from error
        mode = int(told["mode"])
        clean = posixpath.normpath(place)
        name = told["name"] if told["name"] not in ("", ".", "/") else posixpath.basename(clean) or "root"
        found = Found(path=clean, name=name, directory=bool(mode & _DIRECTORY), size=told["size"])
        return stream, found, told["linkTarget"] if mode & _LINK else ""
