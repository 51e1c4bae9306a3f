"""What the service asks of the link: to pass live calls to the host that has the container."""

from collections.abc import AsyncIterator
from typing import Protocol

from higgins.model.ids import HostId
from higgins.model.live import ExecResult, Execute, Kill, ReadLogs


class LiveCalls(Protocol):
    """Live calls to hosts. All raise Unavailable when the host is not connected, and whatever Failure the host answers."""

    def logs(self, host_id: HostId, request: ReadLogs) -> AsyncIterator[bytes]:
        """The output in pieces; the host reads on only as the pieces are taken."""
        ...

    async def execute(self, host_id: HostId, request: Execute) -> ExecResult:
        """Run to the end. Raises Conflict after the timeout."""
        ...

    async def kill(self, host_id: HostId, request: Kill) -> None:
        """Returns once the signal is delivered."""
        ...
