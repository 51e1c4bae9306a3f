"""The verbs of an image: what lies on which host, and what registries have."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from higgins import errors
from higgins.logic.reference import DEFAULT_REGISTRY, Reference
from higgins.model.capsule import Capsule
from higgins.model.host import Host
from higgins.model.identity import Caller
from higgins.model.ids import HostId, ImageId
from higgins.model.image import Image, ImageState
from higgins.model.live import Done, Hit, Hits, ImageFacts, RemoveImage, SearchImages
from higgins.model.query import Part, Query
from higgins.model.registry import Login
from higgins.protocols.live import LiveCalls
from higgins.service.hints import Hints
from higgins.service.policy import Policy
from higgins.service.registries import Registries, Sources
from higgins.store import hosts, images
from higgins.store.database import Connection, Database

_SEARCH = 15.0
"""Seconds that a search may take, however many hosts are asked to do it. What a host is given is less, so that it can still say what was wrong."""
_REMOVAL = 60.0


class Images:
    """What a caller can do with images.

    Every verb checks the policy rule of its name (`image:pull`, ...). Callers see the images that their project has asked for.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        live: LiveCalls,
        hints: Hints,
        registries: Registries,
        sources: Sources | None = None,
        *,
        deadline: float = 1800.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`deadline`: seconds in which an image has to have been fetched."""
        self._database = database
        self._policy = policy
        self._live = live
        self._hints = hints
        self._registries = registries
        self._sources = sources or Sources()
        self._deadline = deadline
        self._clock = clock

    async def pull(self, caller: Caller, image_id: ImageId, reference: str, host: str | None = None) -> Image:
        """Write down that an image is wanted on a host, which may be left out where there is exactly one. `image_id` is a new one.

        Raises Invalid for a malformed reference and an unknown host, Conflict (code `image-already-exists`) if it is there or on its way; one that
        failed is tried again, under its former id.
        """
        self._allow(caller, "image:pull")
        self._sources.check(reference)
        parsed = Reference.parse(reference)
        now = self._clock()

        def work(db: Connection) -> Image:
            place = _host(db, host)
            wanted = Image(
                id=image_id,
                project_id=caller.project_id,
                host_id=place.id,
                host=place.name,
                repo=parsed.name,
                tag=parsed.version,
                created_at=now,
                deadline=now + self._deadline,
            )
            there = images.on_host(db, place.id, wanted.repo, wanted.tag)
            if there is None:
                images.insert(db, wanted)
                return wanted
            if there.id == image_id:
                return there  # The same request, sent again.
            if there.state is not ImageState.FAILED or there.project_id != caller.project_id:
                raise errors.Conflict(
                    f"There is an image {reference} on host {place.name} already, or it is on its way.",
                    code="image-already-exists",
                )
            again = replace(wanted, id=there.id)
            images.write(db, again)
            return again

        image = await self._database.write(work)
        self._hints.images.ring()
        return image

    async def list(self, caller: Caller, query: Query) -> Part[Image]:
        """NotFound for an unknown marker."""
        self._allow(caller, "image:get_all")
        return await self._database.read(lambda db: images.page(db, caller.project_id, query))

    async def show(self, caller: Caller, ref: str) -> Image:
        """By its id alone. Raises Invalid (code `image-not-found`), as clients expect it, for an unknown one."""
        self._allow(caller, "image:get_one")
        return await self._found(caller, ref)

    async def delete(self, caller: Caller, ref: str) -> None:
        """Remove it from its host, and forget it; one that is on its way is not fetched any further.

        Raises Conflict while a container is made of it. What lies on a host that is gone is only forgotten.
        """
        self._allow(caller, "image:delete")
        image = await self._found(caller, ref)
        if image.state is ImageState.WANTED:
            # Whoever fetches it stops when it is gone, and must not have the last word.
            await self._database.write(lambda db: images.delete(db, image.id))
        host = await self._database.read(lambda db: hosts.get(db, image.host_id))
        if host is not None and not host.down:
            await self._remove(image)
        await self._database.write(lambda db: images.delete(db, image.id))

    async def _remove(self, image: Image) -> None:
        try:
            await self._live.ask(image.host_id, RemoveImage(reference=reference_of(image)), Done, within=_REMOVAL)
        except errors.Conflict:
            # What never came by this order, and is a container's already, stays that container's.
            if image.state is ImageState.PRESENT:
                raise

    async def search(self, caller: Caller, term: str, *, exact: bool = False) -> Sequence[Hit]:
        """What a registry has whose name contains the term, or is the term; a registry's domain in front says which.

        Raises Invalid for a term that can be no part of a name, Unavailable if no host can ask, or the registry does not answer soon.
        """
        self._allow(caller, "image:search")
        self._sources.check(term)
        parsed = Reference.parse(term)
        login: Login | None = None
        name = parsed.path
        if parsed.domain != DEFAULT_REGISTRY:
            login = await self._registries.login_at(caller.project_id, parsed.domain) or Login(domain=parsed.domain)
        wanted = SearchImages(term=name, exact=exact, login=login)
        failure: errors.Unavailable | None = None
        try:
            async with asyncio.timeout(_SEARCH):
                for host in await self._askable():
                    try:
                        return (await self._live.ask(host.id, wanted, Hits, within=_SEARCH)).hits
                    except errors.Unavailable as trouble:
                        failure = trouble
        except TimeoutError:
            failure = failure or errors.Unavailable(f"Registry {parsed.domain} has not answered within {_SEARCH:g} s.")
        raise failure or errors.Unavailable("No host is there that could ask the registry; try again later.")

    async def record(self, capsule: Capsule, host_id: HostId, repository: str, tag: str, facts: ImageFacts) -> Image:
        """An image that was made of a container; it belongs to the container's project."""
        now = self._clock()

        def work(db: Connection) -> Image:
            made = Image(
                id=ImageId(str(uuid.uuid4())),
                project_id=capsule.project_id,
                host_id=host_id,
                repo=repository,
                tag=tag,
                digest=facts.digest,
                size=facts.size,
                state=ImageState.PRESENT,
                created_at=now,
            )
            there = images.on_host(db, host_id, repository, tag)
            if there is None:
                images.insert(db, made)
                return made
            made = replace(made, id=there.id)
            images.write(db, made)
            return made

        return await self._database.write(work)

    async def _found(self, caller: Caller, ref: str) -> Image:
        image = await self._database.read(lambda db: images.get(db, caller.project_id, ref))
        if image is None:
            raise errors.Invalid(f"Image {ref} could not be found.", code="image-not-found")
        return image

    async def _askable(self) -> Sequence[Host]:
        """A few hosts that are up, in any order: it does not matter which asks."""
        there = [host for host in await self._database.read(hosts.every) if not host.down]
        return random.sample(there, min(3, len(there)))

    def _allow(self, caller: Caller, rule: str) -> None:
        self._policy.check(caller, rule, project_id=caller.project_id, user_id=caller.user_id)


def reference_of(image: Image) -> str:
    """By which a host knows it."""
    return f"{image.repo}@{image.tag}" if ":" in image.tag else f"{image.repo}:{image.tag}"


def _host(db: Connection, ref: str | None) -> Host:
    if ref is None:
        there = hosts.every(db)
        if len(there) == 1:
            return there[0]
        raise errors.Invalid(
            f"'host' is a required property: there are {len(there)} hosts.", code="schema-validation-error"
        )
    found = hosts.named(db, ref) or hosts.get(db, HostId(ref))
    if found is None:
        raise errors.Invalid(f"The host {ref} does not exist.", code="invalid")
    return found
