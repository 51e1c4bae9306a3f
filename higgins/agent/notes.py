"""What an agent remembers of its host's images: which it fetched, when they were last wanted, and who may have them."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from higgins import errors
from higgins.logic import documents
from higgins.logic.reference import Reference
from higgins.model.ids import ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is known of one image."""

    digest: str
    used_at: float
    """When something was last to be made of it."""
    removable: bool
    """Fetched here for a container, and it was not here before: it may go when the disk is full."""
    guarded: bool = False
    """Not for everybody: a registry gave it to those who logged in, or somebody made it here."""
    projects: tuple[ProjectId, ...] = ()
    """Of one that is guarded: who may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """An image that is being made here, or was when whoever saw to it died: the engine goes on with it for as long as it takes."""

    project_id: ProjectId
    """Who alone may have it."""
    before: str | None
    """The digest that the name had."""
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The file."""

    notes: Mapping[str, Note] = field(default_factory=dict)
    """By reference, or by digest for what has lost its name to a newer image."""
    pending: Mapping[str, str | None] = field(default_factory=dict)
    """The references that are being fetched with credentials, and the digest that each had before. One that is left here by a fetch that broke
    off may have arrived all the same."""
    making: Mapping[str, Making] = field(default_factory=dict)
    """By reference."""


class Notes:
    """The notes of one host, in a file that is written whole or not at all; without a path, only in memory."""

    def __init__(self, path: Path | None) -> None:
        """Raises Broken for a file that cannot be read: without it nobody knows what must be kept from whom."""
        self._path = path
        self._lock = asyncio.Lock()
        self._changed = False
        kept = _read(path) if path is not None else Kept()
        self.notes = dict(kept.notes)
        self.pending = dict(kept.pending)
        self.making = dict(kept.making)

    def put(self, key: str, note: Note) -> None:
        """In memory until the next `save`."""
        self.notes[key] = note
        self._changed = True

    def drop(self, key: str) -> None:
        """Forget it, if it is known."""
        if self.notes.pop(key, None) is not None:
            self._changed = True

    def expect(self, key: str, before: str | None) -> None:
        """A fetch with credentials is about to begin."""
        self.pending[key] = before
        self._changed = True

    def arrived(self, key: str) -> None:
        """How that fetch ended is known."""
        if key in self.pending:
            del self.pending[key]
            self._changed = True

    def make(self, key: str, making: Making) -> None:
        """One is about to be made, or has yet to arrive."""
        self.making[key] = making
        self._changed = True

    def made(self, key: str) -> None:
        """It has arrived, or never will."""
        if key in self.making:
            del self.making[key]
            self._changed = True

    def of(self, digest: str) -> Sequence[Note]:
        """Every note about this very image, whatever its name."""
        return [note for note in self.notes.values() if note.digest == digest]

    def open_to(self, project_id: ProjectId, digest: str) -> bool:
        """Whether the project may make containers of this image. What was never noted was put here by the host's owner, for everybody."""
        known = self.of(digest)
        return not known or any(not note.guarded or project_id in note.projects for note in known)

    def open_to_all(self, digest: str) -> bool:
        """Whether every project may."""
        known = self.of(digest)
        return not known or any(not note.guarded for note in known)

    def arriving(self, image: str, digest: str) -> bool:
        """It may be what is just being fetched with credentials, or made here, and has not been noted yet."""
        parsed = Reference.parse(image)
        if self.of(digest) or digest in self.pending.values():
            return False
        if any(digest == making.before for making in self.making.values()):
            return False
        # A fetch gives the image its tag, and makes it known by its digest.
        coming = (*self.pending, *self.making)
        names = [reference for reference in coming if Reference.parse(reference).repository == parsed.repository]
        return parsed.canonical in names or (parsed.digest is not None and bool(names))

    def used(self, digest: str, now: float) -> None:
        """It is wanted now. Not worth a write of its own."""
        for key, note in self.notes.items():
            if note.digest == digest:
                self.notes[key] = replace(note, used_at=now)

    async def save(self) -> None:
        """Returns once it would survive a power cut. Raises Unavailable if it cannot be written."""
        async with self._lock:
            if self._path is None or not self._changed:
                return
            self._changed = False
            kept = Kept(notes=dict(self.notes), pending=dict(self.pending), making=dict(self.making))
            document = documents.encode(kept)
            try:
                await asyncio.to_thread(_write, self._path, document)
            except OSError as error:
                self._changed = True
                raise errors.Unavailable(f"The file {self._path} cannot be written: {error.strerror}.") from error


def _read(path: Path) -> Kept:
    try:
        return documents.decode(path.read_bytes(), Kept)
    except FileNotFoundError:
        return Kept()
    except (OSError, errors.Broken) as error:
        raise errors.Broken(
            f"{path} cannot be read: it says which projects may use which images of this host; restore it, or remove it and all images that were "
            "fetched with credentials"
        ) from error


def _write(path: Path, document: bytes) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
