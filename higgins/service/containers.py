"""The verbs of a container."""

from collections.abc import AsyncIterator, Mapping, Sequence

from higgins.model.action import Action
from higgins.model.capsule import Capsule, Container
from higgins.model.identity import Caller
from higgins.model.ids import RequestId
from higgins.model.live import ExecResult
from higgins.model.query import Page, Query


class Containers:
    """What a caller can do with containers.

    Every verb checks the policy rule of its name (`container:start`, ...) against the container, sees only what the caller may see
    (Forbidden or NotFound otherwise) and refuses with Conflict, code `invalid-state-exception`, what the present state does not allow.
    `ref` is an id or a name; a name that several containers have is a Conflict. Admins find containers of every project.
    The verbs that change something record an action under `request`.
    """

    async def create(
        self,
        caller: Caller,
        request: RequestId,
        container: Container,
        *,
        run: bool = False,
        auto_remove: bool = False,
        auto_heal: bool = False,
        runtime: str | None = None,
        availability_zone: str | None = None,
        host: str | None = None,
        hints: Mapping[str, str] | None = None,
    ) -> Capsule:
        """Write down that this container is wanted; an empty `container.name` gets a generated one, `container.id` is the caller's choice of a new UUID.

        Raises Forbidden for what policy keeps from the caller, NotFound for an unknown host, Conflict for a name that is taken where names are unique.
        """
        raise NotImplementedError

    async def list(self, caller: Caller, query: Query) -> Page:
        """The caller's containers; `query.all_projects` needs a rule of its own, filtering by `host` too. NotFound for an unknown marker."""
        raise NotImplementedError

    async def show(self, caller: Caller, ref: str, *, all_projects: bool = False) -> Capsule:
        raise NotImplementedError

    async def delete(
        self, caller: Caller, request: RequestId, ref: str, *, force: bool = False, stop: bool = False, all_projects: bool = False
    ) -> None:
        raise NotImplementedError

    async def start(self, caller: Caller, request: RequestId, ref: str) -> None:
        raise NotImplementedError

    async def stop(self, caller: Caller, request: RequestId, ref: str, *, timeout: int | None = None) -> None:
        """None: ten seconds."""
        raise NotImplementedError

    async def reboot(self, caller: Caller, request: RequestId, ref: str, *, timeout: int | None = None) -> None:
        raise NotImplementedError

    async def pause(self, caller: Caller, request: RequestId, ref: str) -> None:
        raise NotImplementedError

    async def unpause(self, caller: Caller, request: RequestId, ref: str) -> None:
        raise NotImplementedError

    async def rename(self, caller: Caller, ref: str, name: str, *, rule: str = "container:rename") -> Capsule:
        """`rule` is the policy rule to check: a PATCH is an update, the old verb a rename."""
        raise NotImplementedError

    async def kill(self, caller: Caller, request: RequestId, ref: str, *, signal: str = "SIGKILL") -> None:
        """A live call. `signal` is a name in upper case with SIG."""
        raise NotImplementedError

    async def logs(
        self,
        caller: Caller,
        ref: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        timestamps: bool = False,
        tail: int | None = None,
        since: float | None = None,
    ) -> AsyncIterator[bytes]:
        """A live call: the checks are done when this returns, the pieces come as they are taken."""
        raise NotImplementedError

    async def execute(self, caller: Caller, ref: str, command: Sequence[str], *, interactive: bool = False) -> ExecResult:
        """A live call. Conflict when it takes longer than the service allows."""
        raise NotImplementedError

    async def actions(self, caller: Caller, ref: str) -> Sequence[Action]:
        """Newest first, without their steps."""
        raise NotImplementedError

    async def action(self, caller: Caller, ref: str, request: RequestId) -> Action:
        """With its steps, newest first. NotFound (code `resource-not-found`) for an unknown one."""
        raise NotImplementedError
