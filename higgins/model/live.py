"""Live calls: requests that a host answers at once and that are stored nowhere."""

from dataclasses import dataclass

from higgins.model.ids import ContainerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLogs:
    """What a container has printed."""

    container_id: ContainerId
    stdout: bool = True
    stderr: bool = True
    timestamps: bool = False
    tail: int | None = None
    """So many lines from the end; None: all."""
    since: float | None = None
    """Seconds since the epoch; None: from the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """A command run inside a container, to its end."""

    container_id: ContainerId
    command: tuple[str, ...]
    interactive: bool = False
    """With a terminal and an (empty) standard input."""
    timeout: float
    """Seconds after which the caller stops waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A signal to a container's first process."""

    container_id: ContainerId
    signal: str
    """A name such as SIGHUP."""


LiveRequest = ReadLogs | Execute | Kill


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """What a command left behind."""

    output: bytes
    """Standard output and standard error as they came."""
    exit_code: int
