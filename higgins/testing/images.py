"""A store of images in memory, and the registries behind it, that can be told to be slow, to fail, to forget and to go away."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from higgins import errors
from higgins.logic.reference import Reference
from higgins.model.capsule import Progress
from higgins.model.live import Hit, ImageFacts
from higgins.model.registry import Login
from higgins.protocols.image import Tell
from higgins.testing.mischief import Mischief

_LAYERS = 2
_SIZE = 1000


class FakeImages(Mischief):
    """Images in memory: those that are here, and those that a registry would give. The methods that can be told are those of ImageSource."""

    def __init__(
        self,
        present: Sequence[str] = (),
        *,
        registry: Sequence[str] = (),
        private: Mapping[str, Login] | None = None,
        room: int = 10,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`private` are the images that a registry gives only to this login. `room` is how many images fill the disk."""
        super().__init__(sleep=sleep)
        self._here = {_name(each): _digest(each, 1) for each in present}
        self._unnamed: set[str] = set()
        self._private = {_name(each): login for each, login in (private or {}).items()}
        self._versions = {_name(each): 1 for each in (*registry, *(private or ()))}
        self._room = room
        self.users: Callable[[], Iterable[tuple[str, str | None]]] = tuple
        """The names that containers were made by, and the digests that they are made of; a FakeRuntime puts itself here."""

    # What a test tells it, and sees of it

    def publish(self, reference: str) -> None:
        """The registry has a newer image of that name from now on."""
        self._versions[_name(reference)] = self._versions.get(_name(reference), 0) + 1

    def keep_for(self, login: Login, reference: str) -> None:
        """The registry gives this image to nobody but this login from now on."""
        self._versions.setdefault(_name(reference), 1)
        self._private[_name(reference)] = login

    def forget(self, reference: str) -> None:
        """It is not here any more."""
        self._here.pop(_name(reference), None)

    def add(self, reference: str) -> ImageFacts:
        """Somebody has made it here."""
        self._here[_name(reference)] = _digest(reference, 0)
        return _facts(self._here[_name(reference)])

    def name(self, reference: str, also: str) -> None:
        """What is here has another name as well."""
        self._here[_name(also)] = self._here[_name(reference)]

    def here(self, reference: str) -> str | None:
        """The digest that resolve would give, without being a call."""
        parsed = Reference.parse(reference)
        if parsed.digest is None:
            return self._here.get(parsed.canonical)
        known = [digest for name, digest in self._here.items() if Reference.parse(name).repository == parsed.repository]
        return parsed.digest if parsed.digest in known else None

    @property
    def names(self) -> set[str]:
        """Of all that is here."""
        return set(self._here)

    # ImageSource

    async def resolve(self, reference: str) -> ImageFacts | None:
        Reference.parse(reference)
        async with self.call("resolve", reference):
            digest = self.here(reference)
            return _facts(digest) if digest is not None else None

    async def fetch(self, reference: str, login: Login | None = None, tell: Tell | None = None) -> ImageFacts:
        wanted = _name(reference)
        _tell(tell, Progress(layers=_LAYERS, size=_SIZE))
        async with self.call("fetch", reference):
            if wanted not in self._versions or self._private.get(wanted) not in (None, login):
                raise errors.NotFound(f"Image {reference} could not be found in its registry.", code="image-not-found")
            self._unnamed |= {former for former in (self._here.get(wanted),) if former is not None}
            self._here[wanted] = _digest(reference, self._versions[wanted])
            self._unnamed -= set(self._here.values())
        _tell(tell, Progress(layers=_LAYERS, layers_done=_LAYERS, size=_SIZE, done=_SIZE))
        return _facts(self._here[wanted])

    async def remove(self, reference: str) -> bool:
        async with self.call("remove", reference):
            by_digest = reference.startswith("sha256:")
            digest = reference if by_digest else self.here(reference)
            left = sum(digest == other for other in self._here.values()) > 1
            made_by = {_name(name) for name, of in self.users() if digest is not None and of == digest}
            if made_by and (not left or by_digest or _name(reference) in made_by):
                raise errors.Conflict(f"Image {reference} cannot be removed: a container is made of it.")
            if not by_digest:
                self.forget(reference)
            elif digest in self._here.values():
                raise errors.Conflict(f"Image {reference} cannot be removed: it has a name.")
            else:
                self._unnamed.discard(reference)
            return left and not by_digest

    async def search(self, term: str, login: Login | None = None, *, exact: bool = False) -> Sequence[Hit]:
        async with self.call("search", term):
            names = sorted({Reference.parse(known).path.removeprefix("library/") for known in self._versions})
            return [Hit(name=name) for name in names if (name == term if exact else term in name)]

    async def fill(self) -> float:
        async with self.call("fill"):
            return (len(self._here) + len(self._unnamed)) / self._room


def _name(reference: str) -> str:
    return Reference.parse(reference).canonical


def _digest(reference: str, version: int) -> str:
    parsed = Reference.parse(reference)
    return parsed.digest or f"sha256:{hashlib.sha256(f'{parsed.canonical} {version}'.encode()).hexdigest()}"


def _facts(digest: str) -> ImageFacts:
    return ImageFacts(digest=digest, size=_SIZE)


def _tell(tell: Tell | None, progress: Progress) -> None:
    if tell is not None:
        tell(progress)
