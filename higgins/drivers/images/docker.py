"""The images that a Docker Engine keeps, and fetches from registries."""

import asyncio
import base64
import ipaddress
import json
import re
import shutil
from collections.abc import Sequence, Set
from typing import Self

import aiodocker
import msgspec
from yarl import URL

from higgins import errors
from higgins.drivers import documents
from higgins.drivers.engine import Engine, disk_full, lines
from higgins.drivers.registry import RegistryApi, distrusted
from higgins.logic.reference import DEFAULT_REGISTRY, Reference
from higgins.model.capsule import Progress
from higgins.model.live import Hit, ImageFacts
from higgins.model.registry import Login
from higgins.protocols.image import Tell

_ID = re.compile(r"sha256:[0-9a-f]{64}")
_MOST_HITS = 100


class DockerImages:
    """Finds images on a Docker Engine, and has it fetch and remove them. Needs no engine to be constructed."""

    def __init__(self, *, url: str = "unix:///var/run/docker.sock", patience: float = 10.0) -> None:
        """A search that has taken `patience` seconds fails."""
        self._engine = Engine(url)
        self._patience = patience

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.close()

    async def resolve(self, reference: str) -> ImageFacts | None:
        found = await self._find(str(Reference.parse(reference)))
        return _facts(found) if found is not None else None

    async def fetch(self, reference: str, login: Login | None = None, tell: Tell | None = None) -> ImageFacts:
        wanted = Reference.parse(reference)
        login = login if login is not None and login.username and login.domain == wanted.domain else None
        try:
            await self._pull(wanted, login, tell)
        except aiodocker.DockerError as error:
            raise await self._sorted(error.message, reference, wanted, login) from error
        found = await self._find(str(wanted))
        if found is None:
            raise errors.Unavailable(f"Docker fetched image {reference}, and somebody removed it at once.")
        return _facts(found)

    async def remove(self, reference: str) -> bool:
        by_id = _ID.fullmatch(reference) is not None
        target = reference if by_id else str(Reference.parse(reference))
        found = await self._find(target)
        if found is None:
            return False
        if by_id and found.tags:
            raise errors.Conflict(f"Image {reference} cannot be removed: it still has the name {found.tags[0]}.")
        names = _names(found)
        going = names if by_id else _going(Reference.parse(target), names)
        users = await self._users(found.id)
        if users & going or (users and going == names):
            raise errors.Conflict(f"Image {reference} cannot be removed: a container of the host is made of it.")
        try:
            await self._engine.call("DELETE", f"images/{target}")
        except aiodocker.DockerError as error:
            if error.status == 409:
                raise errors.Conflict(
                    f"Image {reference} cannot be removed: something of the host needs it."
                ) from error
            if error.status != 404:
                raise await self._engine.explain(error, f"remove image {reference}") from error
        return going != names and await self._find(found.id) is not None

    async def search(self, term: str, login: Login | None = None, *, exact: bool = False) -> Sequence[Hit]:
        domain = DEFAULT_REGISTRY if login is None else login.domain
        try:
            # However many questions that takes, and whatever its name server does.
            async with asyncio.timeout(self._patience):
                return await self._searched(term, login, exact=exact)
        except TimeoutError as error:
            raise errors.Unavailable(
                f"Registry {domain} has not answered within {self._patience:g} s. Check its name, or try again later."
            ) from error

    async def _searched(self, term: str, login: Login | None, *, exact: bool) -> Sequence[Hit]:
        if login is not None and login.domain != DEFAULT_REGISTRY:
            place = await self._place()
            async with RegistryApi(login, insecure=_need_not_prove(login.domain, place.trusted)) as registry:
                return await registry.search(term, exact=exact)
        try:
            found = await self._engine.read("images/search", list[documents.Match], {"term": term, "limit": _MOST_HITS})
        except aiodocker.DockerError as error:
            text = " ".join(error.message.split())
            raise errors.Unavailable(f"Registry {DEFAULT_REGISTRY} cannot be searched now: {text}") from error
        return [
            Hit(name=one.name, description=one.description or "", official=one.official, stars=one.stars)
            for one in found
            if not exact or one.name == term
        ]

    async def fill(self) -> float:
        root = (await self._place()).data_root
        if not self._engine.url.startswith("unix://") or not root:
            raise errors.Unavailable("nobody can tell how full the disk of a Docker Engine on another machine is")
        try:
            usage = await asyncio.to_thread(shutil.disk_usage, root)
        except OSError as error:
            raise errors.Unavailable(f"Docker's data root {root} cannot be looked at: {error.strerror}") from error
        # What only root may still write is no room.
        return usage.used / ((usage.used + usage.free) or 1)

    async def _find(self, target: str) -> documents.Image | None:
        try:
            # Never the reference as it was written: the engine would also take it for the beginning of an image's id.
            return await self._engine.read(f"images/{target}/json", documents.Image)
        except aiodocker.DockerError as error:
            if error.status == 404:
                return None
            raise await self._engine.explain(error, f"look for image {target}") from error

    async def _users(self, image_id: str) -> Set[str]:
        """By which names containers were made of that very image; for others what the engine says instead."""
        # The filter finds those of images that were made from this one as well.
        which: dict[str, str | int | bool] = {"all": True, "filters": json.dumps({"ancestor": [image_id]})}
        try:
            found = await self._engine.read("containers/json", list[documents.Maker], which)
        except aiodocker.DockerError as error:
            raise await self._engine.explain(error, "look who uses an image") from error
        return {_canonical(one.name) for one in found if one.image == image_id}

    async def _place(self) -> documents.Place:
        try:
            return await self._engine.read("info", documents.Place)
        except aiodocker.DockerError as error:
            raise await self._engine.explain(error, "tell of itself") from error

    async def _pull(self, wanted: Reference, login: Login | None, tell: Tell | None) -> None:
        """Raises DockerError for a refusal, also for one that comes at the end of a long success."""
        which = {"fromImage": wanted.name, "tag": wanted.version}
        headers = {"X-Registry-Auth": _credentials(login)} if login is not None else None
        layers = _Layers()
        response = await self._engine.ask("POST", "images/create", which, headers=headers)
        async with self._engine.reachable():
            try:
                async for line in lines(response):
                    told = msgspec.json.decode(line, type=documents.Fetching)
                    if told.error:
                        raise aiodocker.DockerError(500, told.error)
                    if layers.hear(told) and tell is not None:
                        tell(layers.progress)
            finally:
                # Closed in the middle, the engine stops fetching.
                response.close()

    async def _sorted(self, text: str, reference: str, wanted: Reference, login: Login | None) -> errors.Failure:
        registry = wanted.domain
        text = " ".join(text.split())
        if disk_full(text):
            return errors.Unavailable(
                f"Image {reference} could not be fetched: {_lower(await self._engine.disk())} is full. Free some space there."
            )
        if _TOO_MANY.search(text):
            return errors.Unavailable(
                f"Image {reference} could not be fetched: registry {registry} allows no more for now.", retry_after=60
            )
        if _NOT_TRUSTED.search(text):
            return errors.Unavailable(f"Image {reference} could not be fetched: {distrusted(registry)} ({text}).")
        if _IN_CLEAR.search(text):
            return errors.Unavailable(
                f"Image {reference} could not be fetched: registry {registry} speaks HTTP only, and the host's engine is not told to put up with that "
                "(insecure-registries in /etc/docker/daemon.json)."
            )
        if _NOT_FOR_US.search(text):
            return errors.NotFound(
                f"Image {reference} could not be found for this host's processor: registry {registry} has it only for others.",
                code="image-not-found",
            )
        if login is not None and _REFUSED.search(text):
            return errors.NotFound(
                f"Image {reference} could not be fetched: registry {registry} refuses the credentials of {login.username}, or they are not for this "
                "image. Correct them in the registry that the container names.",
                code="image-not-found",
            )
        if _NONE_SUCH.search(text) or _REFUSED.search(text):
            return errors.NotFound(
                f"Image {reference} could not be found in registry {registry}, or it is private. Check its name and its tag.",
                code="image-not-found",
            )
        return errors.Unavailable(
            f"Image {reference} could not be fetched, since registry {registry} does not serve it now: {text}"
        )


class _Layers:
    """How far a fetch is, from what the engine tells of each layer."""

    def __init__(self) -> None:
        self._layers: dict[str, Progress] = {}

    def hear(self, told: documents.Fetching) -> bool:
        """Whether that was about a layer."""
        known = self._layers.get(told.layer)
        amount = told.amount
        match told.status:
            case "Pulling fs layer" | "Waiting":
                heard = known or Progress(layers=1)
            case "Downloading":
                heard = Progress(layers=1, size=max(amount.total, amount.current), done=amount.current)
            case "Verifying Checksum" | "Download complete" if known is not None:
                heard = Progress(layers=1, size=known.size, done=known.size)
            case "Extracting":
                # So small that nothing was said while it came.
                size = (known.size if known is not None else 0) or amount.total
                heard = Progress(layers=1, size=size, done=size)
            case "Pull complete" | "Already exists":
                size = known.size if known is not None else 0
                heard = Progress(layers=1, layers_done=1, size=size, done=size)
            case _:
                return False
        self._layers[told.layer] = heard
        return True

    @property
    def progress(self) -> Progress:
        every = self._layers.values()
        return Progress(
            layers=sum(one.layers for one in every),
            layers_done=sum(one.layers_done for one in every),
            size=sum(one.size for one in every),
            done=sum(one.done for one in every),
        )


_TOO_MANY = re.compile(r"toomanyrequests|too many requests|rate limit", re.IGNORECASE)
_NOT_TRUSTED = re.compile(r"x509:|certificate signed by unknown authority|tls: failed to verify", re.IGNORECASE)
_IN_CLEAR = re.compile(r"server gave HTTP response to HTTPS client", re.IGNORECASE)
_NOT_FOR_US = re.compile(r"no matching manifest|does not match the specified platform", re.IGNORECASE)
_REFUSED = re.compile(
    r"pull access denied|requested access to the resource is denied|unauthorized|no basic auth credentials|insufficient_scope"
    r"|denied:|authentication required|incorrect username or password",
    re.IGNORECASE,
)
_NONE_SUCH = re.compile(
    r"manifest unknown|manifest for \S+ not found|name unknown|name invalid|not found: does not exist|repository .*not found",
    re.IGNORECASE,
)


def _names(found: documents.Image) -> Set[str]:
    return {_canonical(name) for name in (*(found.tags or ()), *(found.digests or ()))}


def _going(reference: Reference, names: Set[str]) -> Set[str]:
    """The names that a removal takes away: the last tag of a repository takes its digests along."""
    siblings = {name for name in names if _repository(name) == reference.repository}
    others = siblings - {reference.canonical}
    last = reference.digest is None and all("@" in name for name in others)
    return siblings if last else {reference.canonical}


def _canonical(name: str) -> str:
    try:
        return Reference.parse(name).canonical
    except errors.Invalid:
        return name  # An id: it has none, or lost it.


def _repository(name: str) -> str:
    return name.partition("@")[0] if "@" in name else name.rpartition(":")[0]


def _facts(found: documents.Image) -> ImageFacts:
    return ImageFacts(digest=found.id, size=found.size)


def _credentials(login: Login) -> str:
    said = {"username": login.username, "password": login.password, "serveraddress": login.domain}
    return base64.urlsafe_b64encode(msgspec.json.encode(said)).decode()


def _need_not_prove(domain: str, trusted: documents.Trusted) -> bool:
    """Whether the engine takes a registry for what it says it is, without a certificate."""
    known = (trusted.domains or {}).get(domain)
    if known is not None:
        return not known.secure
    host = URL(f"https://{domain}").host or ""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in trusted.networks or ())


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
