"""What Higgins asks of an identity service."""

from typing import Protocol

from higgins.model.identity import Caller


class Identity(Protocol):
    """Knows who is behind a token."""

    async def caller(self, token: str) -> Caller:
        """The caller that holds this token. Raises Unauthenticated if it is unknown or expired, Unavailable if nobody can tell now."""
        ...
