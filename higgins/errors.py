"""Failures, sorted by what the caller should do next.

A failure's message is written for whoever called the API: it names what is wrong and what to do. The cause, for the log,
is the chained exception. `code` is the machine-readable name that a front door shows; each class has a default.
"""

from typing import ClassVar


class Failure(Exception):
    """Something could not be done; the subclass says what the remedy is."""

    code: ClassVar[str] = "failure"
    #: The same request, unchanged, cannot succeed: retrying it is pointless.
    permanent: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.name = code or self.code
        self.retry_after = retry_after
        """Seconds after which another try makes sense, where that is known."""


class Invalid(Failure):
    """Correct the request: it cannot be understood or breaks a rule."""

    code = "invalid"
    permanent = True


class Unauthenticated(Failure):
    """Log in first, or again."""

    code = "unauthenticated"
    permanent = True


class Forbidden(Failure):
    """Ask somebody with more rights, or for more quota."""

    code = "policy-not-authorized"
    permanent = True


class NotFound(Failure):
    """Name something that exists."""

    code = "not-found"
    permanent = True


class Conflict(Failure):
    """Look at the present state first: it does not allow this now."""

    code = "conflict"


class NotAcceptable(Failure):
    """Ask for a version of the interface that is offered."""

    code = "not-acceptable"
    permanent = True


class Unavailable(Failure):
    """Try the same again later: something that is needed is not there now."""

    code = "unavailable"


class Broken(Failure):
    """Tell the operator: the service itself is at fault."""

    code = "broken"
