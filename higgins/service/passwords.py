"""Passwords: kept as argon2id hashes, checked alike whether or not there is such a user, and not as fast as somebody guesses."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from higgins import errors

# OWASP's minimum for argon2id: some 30 ms and 19 MiB a check on a small machine.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_AT_ONCE = 2

_FREE_TRIES = 5
_LONGEST_PAUSE = 10.0
_FORGOTTEN_AFTER = 900.0
_REMEMBERED_NAMES = 10_000


class Passwords:
    """Makes and checks hashes in threads, two at a time, so that a crowd at the login neither stops the service nor takes its memory."""

    def __init__(self, hasher: PasswordHasher = HASHER, clock: Callable[[], float] = time.monotonic) -> None:
        self._hasher = hasher
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._brake = Brake(clock)
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """What is stored for a password."""
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def match(self, name: str, password: str, stored: str | None) -> bool:
        """Takes as long for a user that does not exist, who has nothing stored, as for a wrong password.

        Raises Unauthenticated after too many failures under this name.
        """
        # Looked at inside the room: of many guesses sent at once, all but the first few find the brake on.
        async with self._room:
            self._brake.check(name)
            matches = await asyncio.to_thread(self._matches, password, stored)
            if matches:
                self._brake.succeeded(name)
            else:
                self._brake.failed(name)
            return matches

    def outdated(self, stored: str) -> bool:
        """The hash was made with parameters that are not ours any more."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, password: str, stored: str | None) -> bool:
        # Before the first check, whichever it is: later checks must not tell by their time that a user is unknown.
        if self._decoy is None:
            self._decoy = self._hasher.hash(secrets.token_hex())
        try:
            self._hasher.verify(stored or self._decoy, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class Brake:
    """After a few failures in a row for a name, each further one makes the next try wait, twice as long every time.

    Not for longer than ten seconds: somebody who guesses must not be able to keep the real user out. It counts in memory, in this process,
    and knows names that are nobody's just as well, so that it does not tell who exists.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, _Failures] = {}

    def check(self, name: str) -> None:
        """Raises Unauthenticated while this name has to wait."""
        failures = self._failures.get(name)
        if failures is None:
            return
        left = failures.last + _pause(failures.count) - self._clock()
        if left > 0:
            raise errors.Unauthenticated(
                f"Too many failed logins for this user: wait {left:.0f} s before the next.", retry_after=left
            )

    def failed(self, name: str) -> None:
        """The login with this name was wrong."""
        now = self._clock()
        failures = self._failures.pop(name, None)
        count = failures.count + 1 if failures and now - failures.last < _FORGOTTEN_AFTER else 1
        self._failures[name] = _Failures(count, now)
        if len(self._failures) > _REMEMBERED_NAMES:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, name: str) -> None:
        self._failures.pop(name, None)


def _pause(count: int) -> float:
    return 0.0 if count < _FREE_TRIES else min(2.0 ** min(count - _FREE_TRIES, 10), _LONGEST_PAUSE)
