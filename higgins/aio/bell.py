"""A bell: wakes whoever waits, carries nothing."""

import asyncio


class Bell:
    """Rung any number of times before somebody waits, it wakes once; rung during a visit, it causes another."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    def hush(self) -> None:
        """Forget that it was rung: whoever calls this is about to look anyway."""
        self._rung.clear()

    async def wait(self, timeout: float | None) -> bool:
        """True once it rings, False after `timeout` seconds without."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            return False
        # Cleared before the visit, so that a hint arriving during it causes another.
        self._rung.clear()
        return True
