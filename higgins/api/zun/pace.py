"""How long the door waits for clients."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a session waits for its client. Seconds."""

    heartbeat: float = 20.0
    """Between two pings. A client that has not been heard of for three is gone."""
    stalled: float = 60.0
    """In which a client has to take a frame."""
    lull: float = 2.0
    """After which the beginning of a character is not held back any longer: what is no character at all has to be shown, too."""
    farewell: float = 5.0
    """In which a client has to answer that it leaves, too."""
