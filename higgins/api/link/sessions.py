"""One host's session, seen from the control plane: what is assigned goes out, what was found comes in."""

import asyncio
import logging
from collections.abc import Sequence

from higgins import errors
from higgins.aio.topics import Listener
from higgins.link.messages import (
    Acknowledged,
    Changed,
    ControlChannel,
    Gone,
    Heartbeat,
    Hello,
    Report,
    Welcome,
    Whole,
    Withdrawn,
    roll,
)
from higgins.model.ids import CapsuleId, HostId
from higgins.service.hints import Hints
from higgins.service.hosts import Hosts

log = logging.getLogger(__name__)

_HELLO_SECONDS = 10.0
_AT_ONCE = 100
"""Capsules in one message: with all that may lie in the files that they mount, it is far below what a message can carry."""


class Session:
    """Serves one host over one channel, until either ends."""

    def __init__(self, hosts: Hosts, hints: Hints, channel: ControlChannel, *, heartbeat: float) -> None:
        self._hosts = hosts
        self._hints = hints
        self._channel = channel
        self._heartbeat = heartbeat
        self._numbers = 0
        self._whole_wanted = False

    async def serve(self, hello: Hello, *, local: bool) -> None:
        """Returns when the host hangs up or stays silent. Raises Forbidden or Conflict for a host that may not come in."""
        host_id = hello.host_id
        session = await self._hosts.open_session(hello, local=local)
        log.info("host %s connected, session %d", hello.name, session)
        # Listening begins before the first reading: what changes between the two is hinted at, and sent after it.
        with self._hints.hosts.listen(host_id) as listener:
            await self._channel.send(Welcome(session=session, heartbeat=self._heartbeat))
            await self._send_whole(host_id)
            # What one half raises ends the other: a session that only listens, or only speaks, would look alive and get nowhere.
            try:
                async with asyncio.TaskGroup() as group:
                    feeder = group.create_task(self._feed(host_id, listener))
                    await self._listen(host_id, session, listener)
                    feeder.cancel()
            except* errors.Unavailable as broken:
                log.warning("the session %d of host %s broke: %s", session, hello.name, broken.exceptions[0])
        log.info("host %s hung up, session %d", hello.name, session)

    async def _listen(self, host_id: HostId, session: int, listener: Listener[CapsuleId]) -> None:
        messages = aiter(self._channel)
        while True:
            try:
                async with asyncio.timeout(3 * self._heartbeat):
                    message = await anext(messages)
            except (StopAsyncIteration, TimeoutError, errors.Unavailable):
                return
            match message:
                case Report(findings=findings):
                    await self._hosts.report(host_id, session, findings)
                    await self._channel.send(Acknowledged(sequences=tuple(finding.sequence for finding in findings)))
                case Heartbeat(known=known, inventory=inventory, idle=idle):
                    if not await self._hosts.heard(host_id, session, inventory):
                        return  # The host has opened another session.
                    if gone := await self._hosts.gone_volumes(host_id, idle):
                        await self._channel.send(Gone(volumes=tuple(gone)))
                    if known != roll(await self._hosts.work(host_id, bare=True)):
                        self._whole_wanted = True
                        listener.bell.ring()
                case Hello():
                    continue  # Doubled on the way.

    async def _feed(self, host_id: HostId, listener: Listener[CapsuleId]) -> None:
        while True:
            await listener.bell.wait(None)
            changed = listener.take()
            if self._whole_wanted:
                self._whole_wanted = False
                await self._send_whole(host_id)
            elif changed:
                await self._send_changes(host_id, tuple(changed))

    async def _send_whole(self, host_id: HostId) -> None:
        number = self._next()
        known = [one.capsule_id for one in await self._hosts.work(host_id, bare=True)]
        assigned = await self._send_work(host_id, number, known)
        await self._channel.send(Whole(number=number, capsules=tuple(assigned)))

    async def _send_changes(self, host_id: HostId, changed: Sequence[CapsuleId]) -> None:
        number = self._next()
        left = set(changed) - set(await self._send_work(host_id, number, changed))
        if left:
            await self._channel.send(Withdrawn(number=number, capsules=tuple(sorted(left))))

    async def _send_work(self, host_id: HostId, number: int, capsules: Sequence[CapsuleId]) -> Sequence[CapsuleId]:
        """Which of these are assigned to the host, all of which it has been sent."""
        sent: list[CapsuleId] = []
        for start in range(0, len(capsules), _AT_ONCE):
            work = await self._hosts.work(host_id, capsules[start : start + _AT_ONCE])
            if work:
                await self._channel.send(Changed(number=number, work=tuple(work)))
            sent += [one.capsule_id for one in work]
        return sent

    def _next(self) -> int:
        """Taken before the rows are read: a message with a higher number never knows less."""
        self._numbers += 1
        return self._numbers


async def greeting(channel: ControlChannel) -> Hello:
    """The first message of a host. Raises Invalid if something else comes, Unavailable if nothing does."""
    try:
        async with asyncio.timeout(_HELLO_SECONDS):
            async for message in channel:
                if isinstance(message, Hello):
                    return message
                raise errors.Invalid("a session has to begin with a hello")
    except TimeoutError as error:
        raise errors.Unavailable("a host connected and said nothing") from error
    raise errors.Unavailable("a host hung up before it said anything")
