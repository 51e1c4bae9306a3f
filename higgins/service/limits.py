"""How long things may take, as the operator has set it. Seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """After so long without having settled, a request has failed."""

    create: float = 600.0
    start: float = 120.0
    stop: float = 120.0
    """Comes on top of the time that the caller gives the container to end."""
    reboot: float = 180.0
    pause: float = 60.0
    delete: float = 300.0
    force_delete: float = 60.0
    execute: float = 60.0
    """A command run to its end for a caller who waits."""
    init: float = 3600.0
    """Comes on top of that of a create, for each container that runs before the others of a capsule."""
    commit: float = 600.0
    """For an image made of a container."""
    fetch: float = 1800.0
    """An image that was asked for by itself."""
