"""An image on its way to this host."""

import asyncio

from higgins.model.capsule import Progress
from higgins.model.ids import ProjectId
from higgins.model.live import ImageFacts
from higgins.model.registry import Login
from higgins.protocols.image import Tell


class Flight:
    """One fetch, and those who wait for it."""

    task: "asyncio.Task[None]"

    def __init__(self, *, key: tuple[str, Login | None], image: str) -> None:
        """`image` is the reference as the first of them wrote it."""
        self.key = key
        self.image = image
        self.keep = False
        self.progress = Progress()
        self.waiting: list[ProjectId] = []
        self.tells: list[Tell] = []
        self.arrival: asyncio.Future[ImageFacts] = asyncio.get_running_loop().create_future()

    @property
    def reference(self) -> str:
        """Of what is fetched, in full."""
        return self.key[0]

    def tell(self, progress: Progress) -> None:
        """How far it is now, to all who wait."""
        self.progress = progress
        for tell in list(self.tells):
            tell(progress)
