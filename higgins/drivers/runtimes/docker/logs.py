"""What containers on a Docker Engine have printed."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import aiodocker

from higgins import errors
from higgins.drivers import documents
from higgins.drivers.engine import Engine, Parameters, demultiplex
from higgins.drivers.runtimes.docker import terms
from higgins.drivers.runtimes.docker.terms import name
from higgins.model.ids import ContainerId


class DockerLogs:
    """Reads what the engine keeps of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def logs(
        self,
        container_id: ContainerId,
        *,
        stdout: bool,
        stderr: bool,
        timestamps: bool,
        tail: int | None,
        since: float | None,
        follow: bool = False,
    ) -> AsyncIterator[bytes]:
        """As `Logs` promises.

        The engine looks for the end from behind, and waits while nobody reads: what a log costs does not depend on its size.
        """
        if not (stdout or stderr):
            return
        parameters: dict[str, str | int | bool] = {
            "stdout": stdout,
            "stderr": stderr,
            "timestamps": timestamps,
            "follow": follow,
        }
        if tail is not None:
            parameters["tail"] = tail
        if since is not None:
            parameters["since"] = f"{since:.9f}"
        try:
            terminal = await self._has_terminal(container_id)
            for last in (False, False, True):
                begun = False
                try:
                    async with aclosing(self._read(container_id, parameters, terminal=terminal)) as pieces:
                        async for piece in pieces:
                            begun = True
                            yield piece
                    return
                except errors.Unavailable as failure:
                    # The engine does not find the log in the moment in which it begins a new file of it.
                    if begun or last or "no such file" not in failure.message:
                        raise
        except aiodocker.DockerError as error:
            raise await terms.sorted_by_remedy(self._engine, error, "read the logs") from error

    async def _has_terminal(self, container_id: ContainerId) -> bool:
        try:
            return (await self._engine.read(f"containers/{name(container_id)}/json", documents.Inspected)).config.tty
        except aiodocker.DockerError as error:
            if error.status == 404:
                raise errors.NotFound("Docker has no such container, so there are no logs of it.") from error
            raise

    async def _read(
        self, container_id: ContainerId, parameters: Parameters, *, terminal: bool
    ) -> AsyncGenerator[bytes, None]:
        async with self._engine.stream("GET", f"containers/{name(container_id)}/logs", parameters) as response:
            async for piece in response.content.iter_any() if terminal else demultiplex(response):
                yield piece
