"""Tells the control plane the newest status of every capsule, until it has taken it in."""

import asyncio
import time
from collections.abc import Callable

from higgins.aio.bell import Bell
from higgins.link.messages import Finding, HostChannel, Report
from higgins.model.capsule import CapsuleStatus
from higgins.model.ids import CapsuleId

_AT_ONCE = 200


class Reporter:
    """Holds one status a capsule: a newer one replaces what was not acknowledged yet."""

    def __init__(self, *, retry: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        """What is not acknowledged within `retry` seconds is sent again."""
        self._retry = retry
        self._clock = clock
        self._bell = Bell()
        self._waiting: dict[CapsuleId, tuple[int, CapsuleStatus]] = {}
        """Epoch and status of what the control plane has not acknowledged."""
        self._sent: dict[CapsuleId, tuple[int, float]] = {}
        """Under which sequence, and when, that status was sent in this session."""
        self._sequence = 0
        self._heard: dict[CapsuleId, Bell] = {}
        """Those whose acknowledgement somebody waits for."""

    def report(self, capsule_id: CapsuleId, epoch: int, status: CapsuleStatus) -> None:
        """Have it told, now or when there is a session again."""
        self._waiting[capsule_id] = (epoch, status)
        self._sent.pop(capsule_id, None)
        self._bell.ring()

    async def until_heard(self, capsule_id: CapsuleId, timeout: float) -> None:
        """Until the newest status of it has been acknowledged, but not longer than `timeout` seconds."""
        if capsule_id in self._waiting:
            # One of its own: what an earlier one was told is not about this status.
            bell = self._heard[capsule_id] = Bell()
            try:
                await bell.wait(timeout)
            finally:
                if self._heard.get(capsule_id) is bell:
                    del self._heard[capsule_id]

    def forget(self, capsule_id: CapsuleId) -> None:
        """It is assigned to another host, or to none."""
        self._waiting.pop(capsule_id, None)
        self._sent.pop(capsule_id, None)
        if capsule_id in self._heard:
            self._heard[capsule_id].ring()

    def acknowledged(self, sequences: tuple[int, ...]) -> None:
        """Stored. An answer to something that a newer status has replaced means nothing."""
        answered = set(sequences)
        for capsule_id, (sequence, _) in list(self._sent.items()):
            if sequence in answered:
                self.forget(capsule_id)

    async def run(self, channel: HostChannel) -> None:
        """Report over this session, from the first sequence on, until cancelled or cut off."""
        self._sequence = 0
        self._sent.clear()
        while True:
            findings = self._due()
            if findings:
                await channel.send(Report(findings=tuple(findings)))
            if len(findings) < _AT_ONCE:
                await self._bell.wait(self._retry if self._waiting else None)
            else:
                await asyncio.sleep(0)

    def _due(self) -> list[Finding]:
        now = self._clock()
        findings = []
        for capsule_id, (epoch, status) in self._waiting.items():
            sent = self._sent.get(capsule_id)
            if sent is not None and now - sent[1] < self._retry:
                continue
            self._sequence += 1
            self._sent[capsule_id] = (self._sequence, now)
            findings.append(Finding(capsule_id=capsule_id, epoch=epoch, sequence=self._sequence, status=status))
            if len(findings) == _AT_ONCE:
                break
        return findings
