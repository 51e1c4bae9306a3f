"""The images of this host: fetched once however many want them, kept from projects that may not have them, and removed when the disk fills."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from higgins import errors
from higgins.agent.flight import Flight
from higgins.agent.notes import Making, Note, Notes
from higgins.agent.orders import Order, Supply
from higgins.aio.bell import Bell
from higgins.aio.beside import Start, beside
from higgins.aio.patrol import patrol
from higgins.logic.reference import Reference
from higgins.model.capsule import PullPolicy
from higgins.model.ids import ProjectId
from higgins.model.live import ImageFacts
from higgins.model.registry import Login
from higgins.protocols.image import ImageSource, Tell

log = logging.getLogger(__name__)

_AT_LAST = 24 * 3600.0
"""Seconds after which an image that was being made when nobody saw to it any more will not come."""

Wanted = Callable[[], Iterable[str]]
"""The images that present work needs, by the references of their orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """When images are removed that nobody needs."""

    collect: bool = True
    above: float = 0.85
    """The part of the disk that is used when it begins, and `below` when it ends."""
    below: float = 0.80
    period: float = 60.0
    """Seconds between two looks at the disk."""


class Shelf:
    """The images of one host. Works while it is open.

    One project's credentials open nothing to another: an image that came by them counts as absent for a project that has not fetched it itself,
    which its registry decides. The same for images that somebody made here. What was on the host before Higgins is for everybody.
    """

    def __init__(
        self,
        images: ImageSource,
        notes: Path | None = None,
        custom: Custom | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`notes` is the file in which it remembers; None: only in memory. Raises Broken for one that cannot be read."""
        self._images = images
        self._notes = Notes(notes)
        self._custom = custom or Custom()
        self._clock = clock
        self._flights: dict[tuple[str, Login | None], Flight] = {}
        self._making: set[str] = set()
        self._turn = 0
        self._start: Start | None = None
        self._wanted: Wanted = tuple
        self._blind = False
        """Nobody can tell how full the disk is, and that has been said."""
        self._full = False
        """Nothing can be done about the disk, and that has been said."""

    @asynccontextmanager
    async def open(self, wanted: Wanted = tuple) -> AsyncIterator[None]:
        """Fetch, and collect what is not `wanted`, while the block runs."""
        self._wanted = wanted
        async with beside() as self._start:
            if self._custom.collect:
                self._start(
                    patrol("image collection", self.collect, Bell(), self._custom.period, foreseen=(errors.Failure,))
                )
            yield

    async def ready(self, order: Order, tell: Tell | None = None) -> Supply:
        """The image is here, by the order's pull policy, and its project may have it. May be cancelled.

        `tell` is called with what is known as soon as something is being fetched. Raises NotFound (code `image-not-found`) if it cannot be had, and
        what ImageSource.fetch does.
        """
        turn = self._turn
        if order.policy is not PullPolicy.ALWAYS:
            facts = await self._here(order)
            if facts is not None:
                self._notes.used(facts.digest, self._clock())
                return Supply(facts=facts, turn=turn)
        if order.policy is PullPolicy.NEVER:
            raise errors.NotFound(
                f"Image {order.image} is not on the host, and its pull policy is never; use another policy, or put it there.",
                code="image-not-found",
            )
        return Supply(facts=await self.fetch(order, tell), turn=self._turn)

    async def stands(self, order: Order, supply: Supply) -> bool:
        """Whether what has been made by that name since is what was supplied, or at least something that the project may have.

        Costs nothing unless a fetch with credentials began or ended meanwhile.
        """
        if self._turn == supply.turn:
            return True
        facts = await self._images.resolve(order.image)
        if facts is None:
            return False
        return facts.digest == supply.facts.digest or self._is_open(order, facts)

    async def fetch(self, order: Order, tell: Tell | None = None, *, keep: bool = False) -> ImageFacts:
        """Have it fetched, whatever is here. Whoever wants the same with the same credentials waits for the same fetch, which is cancelled when nobody
        waits any more. What somebody asked to `keep` is never collected."""
        flight = self._joined(order)
        flight.waiting.append(order.project_id)
        flight.keep |= keep
        if tell is not None:
            flight.tells.append(tell)
            tell(flight.progress)
        try:
            # Whoever leaves must not end it for the others.
            facts = await asyncio.shield(flight.arrival)
        finally:
            flight.waiting.remove(order.project_id)
            if tell is not None:
                flight.tells.remove(tell)
            if not flight.waiting and not flight.arrival.done():
                self._flights.pop(flight.key, None)
                flight.task.cancel()
        await self._admit(order, facts)
        return facts

    async def make(
        self, reference: str, project_id: ProjectId, commit: Callable[[], Awaitable[ImageFacts]]
    ) -> ImageFacts:
        """An image made here, for this project alone. Goes on if whoever waits for it leaves, for the engine does as well.

        Raises Conflict if the name means something else on this host already, or is just being made.
        """
        key = Reference.parse(reference).canonical
        await self._settle()
        before = await self._images.resolve(reference)
        if key in self._making:
            raise errors.Conflict(f"An image {reference} is just being made on the container's host: try again later.")
        if not self._is_free(key, project_id, before):
            raise errors.Conflict(
                f"There is an image {reference} on the container's host already: choose another name or tag."
            )
        if self._start is None:
            raise errors.Unavailable("The host is about to stop.")
        self._making.add(key)
        made: asyncio.Future[ImageFacts] = asyncio.get_running_loop().create_future()
        self._start(
            self._see_made(
                key, Making(project_id=project_id, before=_digest(before), since=self._clock()), commit, made
            )
        )
        return await asyncio.shield(made)

    async def _see_made(
        self, key: str, making: Making, commit: Callable[[], Awaitable[ImageFacts]], made: "asyncio.Future[ImageFacts]"
    ) -> None:
        try:
            made.set_result(await self._make(key, making, commit))
        except asyncio.CancelledError:
            made.set_exception(errors.Unavailable("The host stops; whether it makes the image is unknown."))
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told, and the host goes on
            made.set_exception(error)
        finally:
            self._making.discard(key)

    async def _make(self, key: str, making: Making, commit: Callable[[], Awaitable[ImageFacts]]) -> ImageFacts:
        former = self._notes.making.get(key)
        self._turn += 1
        self._notes.make(key, making)
        await self._notes.save()
        try:
            facts = await commit()
        except errors.Failure as failure:
            # An engine that has said no makes nothing; one that was cut off may.
            if former is None and not isinstance(failure, errors.Unavailable):
                self._notes.made(key)
                await self._notes.save()
            raise
        self._land(key, facts, removable=False, guarded=True, projects=[making.project_id])
        if former is None:
            self._notes.made(key)
        else:
            # What was broken off before may still come, and take this one's name.
            self._notes.make(key, replace(former, before=facts.digest))
        await self._notes.save()
        return facts

    async def remove(self, reference: str) -> None:
        """Succeeds if there is none. Raises Conflict while a container is made of it, or will be made, or made again, by that name."""
        key = Reference.parse(reference).canonical
        if self._is_wanted(key):
            raise errors.Conflict(f"Image {reference} cannot be removed: a container of the host needs it.")
        await self._remove(key, reference)
        await self._notes.save()

    async def _remove(self, key: str, reference: str) -> None:
        note = self._notes.notes.get(key)
        left = await self._images.remove(reference)
        if self._notes.notes.get(key) is not note:
            return  # Wanted, or fetched again, meanwhile: who may have that must not be forgotten.
        self._notes.drop(key)
        if left and note is not None and not self._notes.of(note.digest):
            # Nobody gets in by its other name who was kept out by this one.
            self._notes.put(note.digest, note)

    def _is_wanted(self, key: str) -> bool:
        return key in {Reference.parse(image).canonical for image in self._wanted()}

    async def collect(self) -> float | None:
        """Remove what Higgins fetched and nothing uses, the least recently used first, if the disk is too full."""
        await self._notes.save()
        try:
            fill = await self._images.fill()
        except errors.Unavailable as failure:
            if not self._blind:
                log.warning("images are not collected: %s", failure.message)
            self._blind = True
            return None
        self._blind = False
        if fill <= self._custom.above:
            self._full = False
            return None
        for key, note in sorted(self._notes.notes.items(), key=lambda known: known[1].used_at):
            if note.removable and await self._collected(key, note):
                fill = await self._images.fill()
                if fill <= self._custom.below:
                    break
        await self._notes.save()
        if fill > self._custom.above and not self._full:
            log.warning("the disk of the images is %.0f %% full, and no image is left that may be removed", fill * 100)
        self._full = fill > self._custom.above
        return None

    async def _collected(self, key: str, note: Note) -> bool:
        if self._notes.notes.get(key) is not note:
            return False  # Wanted, or fetched, since the round began.
        # Asked now, not when the round began: work may have arrived meanwhile.
        if self._is_wanted(key):
            return False
        if any(flight.reference == key for flight in self._flights.values()):
            return False
        try:
            await self._remove(key, key)
        except errors.Conflict:
            self._notes.used(note.digest, self._clock())
            return False
        log.info("removed image %s: the disk is full and nothing has used it for the longest time", key)
        return True

    def _is_free(self, key: str, project_id: ProjectId, there: ImageFacts | None) -> bool:
        """Whether the project may give that name to something that it makes here."""
        making, note = self._notes.making.get(key), self._notes.notes.get(key)
        if key in self._notes.pending or (making is not None and making.project_id != project_id):
            return False
        return there is None or (note is not None and note.guarded and note.projects == (project_id,))

    async def _here(self, order: Order) -> ImageFacts | None:
        """The image, if it is here and the project may have it."""
        await self._settle()
        facts = await self._images.resolve(order.image)
        return facts if facts is not None and self._is_open(order, facts) else None

    def _is_open(self, order: Order, facts: ImageFacts) -> bool:
        return not self._notes.arriving(order.image, facts.digest) and self._notes.open_to(
            order.project_id, facts.digest
        )

    def _joined(self, order: Order) -> Flight:
        key = order.key
        flight = self._flights.get(key)
        if flight is None:
            if self._start is None:
                raise errors.Unavailable("The host is about to stop.")
            flight = self._flights[key] = Flight(key=key, image=order.image)
            flight.task = self._start(self._fly(flight))
        return flight

    async def _fly(self, flight: Flight) -> None:
        try:
            facts = await self._fetched(flight)
        except asyncio.CancelledError:
            if flight.waiting:
                flight.arrival.set_exception(errors.Unavailable("The host stops, and with it the fetching of images."))
            else:
                flight.arrival.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told, and the host goes on
            flight.arrival.set_exception(error)
        else:
            flight.arrival.set_result(facts)
        finally:
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]

    async def _fetched(self, flight: Flight) -> ImageFacts:
        reference, login = flight.key
        before = await self._images.resolve(flight.image)
        known = self._notes.notes.get(reference)
        # Not one that lay here for everybody before; what others' credentials have just brought did not.
        free = (
            before is not None
            and not self._notes.arriving(flight.image, before.digest)
            and self._notes.open_to_all(before.digest)
        )
        if login is not None:
            self._begin(reference, before)
            await self._notes.save()
        facts = await self._images.fetch(flight.image, login, flight.tell)
        guarded = login is not None and not (free and before is not None and before.digest == facts.digest)
        removable = (before is None or (known is not None and known.removable)) and not flight.keep
        self._land(reference, facts, removable=removable, guarded=guarded, projects=flight.waiting)
        if any(key[0] == reference and key[1] is not None for key in self._flights.keys() - {flight.key}):
            # Others with credentials of their own may bring yet another by that name.
            self._notes.expect(reference, facts.digest)
        await self._notes.save()
        return facts

    def _begin(self, reference: str, before: ImageFacts | None) -> None:
        self._turn += 1
        # What another one expects may be here by now, and is not what was before.
        if reference not in self._notes.pending:
            self._notes.expect(reference, _digest(before))

    def _land(
        self, reference: str, facts: ImageFacts, *, removable: bool, guarded: bool, projects: Iterable[ProjectId]
    ) -> None:
        """Note what a name means from now on."""
        former = self._notes.notes.get(reference)
        if former is not None and former.digest != facts.digest and len(self._notes.of(former.digest)) == 1:
            self._notes.put(former.digest, former)
        earlier = former.projects if former is not None and former.digest == facts.digest else ()
        note = Note(
            digest=facts.digest,
            used_at=self._clock(),
            removable=removable,
            guarded=guarded,
            projects=tuple(dict.fromkeys([*earlier, *projects])) if guarded else (),
        )
        self._notes.put(reference, note)
        self._notes.arrived(reference)
        self._turn += 1

    async def _admit(self, order: Order, facts: ImageFacts) -> None:
        """Whoever came late to a fetch has proved as much as those who were there at its end."""
        key = Reference.parse(order.image).canonical
        note = self._notes.notes.get(key)
        if note is None or note.digest != facts.digest or not note.guarded or order.project_id in note.projects:
            return
        self._notes.put(key, replace(note, projects=(*note.projects, order.project_id)))
        await self._notes.save()

    async def _settle(self) -> None:
        """Find out how those fetches with credentials, and those images made here, ended that nobody saw ending."""
        for reference, before in list(self._notes.pending.items()):
            if any(flight.reference == reference for flight in self._flights.values()):
                continue
            turn = self._turn
            facts = await self._images.resolve(reference)
            if self._turn != turn:
                continue  # Seen before something began or ended: whoever looks next settles it.
            if facts is not None and facts.digest != before:
                self._land(reference, facts, removable=before is None, guarded=True, projects=())
            self._notes.arrived(reference)
        for reference, making in list(self._notes.making.items()):
            if reference in self._making:
                continue
            turn = self._turn
            facts = await self._images.resolve(reference)
            if self._turn != turn:
                continue
            if facts is not None and facts.digest != making.before:
                self._land(reference, facts, removable=False, guarded=True, projects=[making.project_id])
                self._notes.made(reference)
            elif self._clock() - making.since > _AT_LAST:
                self._notes.made(reference)
        await self._notes.save()


def _digest(facts: ImageFacts | None) -> str | None:
    return facts.digest if facts is not None else None
