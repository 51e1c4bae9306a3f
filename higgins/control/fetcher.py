"""Has images fetched that are wanted on hosts, and writes down how far they are."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from higgins import errors
from higgins.aio.beside import Start, beside
from higgins.aio.patrol import patrol
from higgins.logic import documents
from higgins.logic.reference import Reference
from higgins.model.capsule import Progress
from higgins.model.ids import ImageId
from higgins.model.image import Image, ImageState
from higgins.model.live import Done, ImageFacts, PullImage, RemoveImage
from higgins.protocols.live import LiveCalls
from higgins.service.hints import Hints
from higgins.service.images import reference_of
from higgins.service.registries import Registries
from higgins.store import images
from higgins.store.database import Database

log = logging.getLogger(__name__)

_AT_ONCE = 16
"""Images that one replica has fetched at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """Seconds."""

    lease: float = 15.0
    """If whoever has an image fetched dies, another replica may try after so long."""
    word: float = 1.0
    """Between two words on how far it is, with which the lease is renewed."""
    retry: float = 5.0
    """Until what failed for now is tried again."""


class Fetcher:
    """Every image that is wanted is fetched by one replica, under a lease, with a live call to its host.

    Whoever dies in the middle, replica or host, leaves a row that is leased again; the host goes on with what it has.
    """

    def __init__(
        self,
        database: Database,
        hints: Hints,
        live: LiveCalls,
        registries: Registries,
        clock: Callable[[], float],
        custom: Custom | None = None,
    ) -> None:
        self._database = database
        self._hints = hints
        self._live = live
        self._registries = registries
        self._clock = clock
        self._custom = custom or Custom()
        self._owner = str(uuid.uuid4())
        self._fetching: set[ImageId] = set()
        self._start: Start

    async def run(self, period: float) -> None:
        """Fetch until cancelled."""
        async with beside() as self._start:
            await patrol("images", self.visit, self._hints.images, period, foreseen=(errors.Failure,))

    async def visit(self) -> float | None:
        """Begin with what nobody fetches."""
        now = self._clock()
        room = _AT_ONCE - len(self._fetching)
        until = now + self._custom.lease
        leased = await self._database.write(
            lambda db: images.lease(db, owner=self._owner, now=now, until=until, most=room)
        )
        for image in leased:
            self._fetching.add(image.id)
            self._start(self._see_to(image))
        return self._custom.retry if leased or self._fetching else None

    async def _see_to(self, image: Image) -> None:
        try:
            await self._fetch(image)
        except Exception as trouble:  # the outermost of one fetch: it is tried again when its lease ends
            log.exception("fetching image %s failed in an unforeseen way: %s", image.id, type(trouble).__name__)
        finally:
            self._fetching.discard(image.id)

    async def _fetch(self, image: Image) -> None:
        try:
            facts = await self._fetched(image)
        except errors.Failure as failure:
            await self._failed(image, failure)
            return
        if facts is None:
            log.info("image %s on %s is not wanted any more", reference_of(image), image.host)
            return
        there = replace(
            image, digest=facts.digest, size=facts.size, state=ImageState.PRESENT, reason=None, deadline=None
        )
        if await self._write(there):
            log.info("image %s is on %s", reference_of(image), image.host)
        elif await self._database.read(lambda db: images.get(db, None, image.id)) is None:
            # Deleted at the last moment: it must not stay there with nobody knowing.
            await self._live.ask(image.host_id, RemoveImage(reference=reference_of(image)), Done)

    async def _fetched(self, image: Image) -> ImageFacts | None:
        """None if it is not to be fetched any more. Raises what the host answers, and Conflict when the time is over."""
        left = (image.deadline or self._clock()) - self._clock()
        if left <= 0:
            raise _late(image.reason or "its host is not connected")
        reference = reference_of(image)
        login = await self._registries.login_at(image.project_id, Reference.parse(reference).domain)
        request = PullImage(reference=reference, project_id=image.project_id, login=login)
        watch = _Watch()
        try:
            async with asyncio.timeout(left) as patience, beside() as start:
                start(self._report(image, watch, patience))
                async with self._live.open(image.host_id, request, ImageFacts) as exchange:
                    async for piece in exchange:
                        watch.progress = documents.decode(piece.content, Progress)
                    return exchange.reply
        except TimeoutError:
            if watch.lost:
                return None
            raise _late("the registry is slow, or the image large") from None

    async def _report(self, image: Image, watch: "_Watch", patience: asyncio.Timeout) -> None:
        """Write down now and then how far it is; ends the fetching when nobody wants it any more, or somebody else has taken over."""
        while True:
            await asyncio.sleep(self._custom.word)
            until, progress = self._clock() + self._custom.lease, watch.progress
            try:
                watch.lost = not await self._database.write(
                    lambda db: images.write_leased(
                        db,
                        image,
                        owner=self._owner,
                        until=until,  # noqa: B023 - awaited here
                        progress=progress,  # noqa: B023 - awaited here
                    )
                )
            except errors.Unavailable as failure:
                log.warning("how far image %s is cannot be written: %s", image.id, failure.message)
            if watch.lost:
                patience.reschedule(asyncio.get_running_loop().time())
                return

    async def _failed(self, image: Image, failure: errors.Failure) -> None:
        over = failure.permanent or isinstance(failure, errors.Conflict)
        log.warning(
            "image %s on %s: %s%s", reference_of(image), image.host, failure.message, "" if over else "; trying again"
        )
        if over:
            await self._write(replace(image, state=ImageState.FAILED, reason=failure.message, deadline=None))
        else:
            await self._write(replace(image, reason=failure.message), again=self._custom.retry)

    async def _write(self, image: Image, *, again: float | None = None) -> bool:
        """The end of it, or of this try: the next one follows in `again` seconds. False if it is gone, or somebody else's by now."""
        until = None if again is None else self._clock() + again
        return await self._database.write(lambda db: images.write_leased(db, image, owner=self._owner, until=until))


@dataclass(slots=True)
class _Watch:
    """What is known of a fetch under way."""

    progress: Progress | None = None
    lost: bool = False


def _late(why: str) -> errors.Conflict:
    return errors.Conflict(f"Fetching did not finish in time: {why.rstrip('.')}; try again, or delete it.")
