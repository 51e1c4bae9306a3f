"""One connection to one server, and what goes wrong with it in words."""

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from higgins import errors

Result = TypeVar("Result")

PATIENCE = 60.0
"""Seconds without a byte."""
_KEPT_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""A server that has gone without a word is noticed within a minute, even where only it would speak."""


class Lost(errors.Unavailable):
    """The connection broke before the answer was whole: whether the request was carried out is not known."""


class Unreachable(errors.Unavailable):
    """There is no connection: nothing was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How a server has to prove who it is."""

    authorities: str | None = None
    """A file of certificates instead of the system's."""
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """What TLS needs to know. Raises Invalid if the file cannot be read."""
        try:
            context = ssl.create_default_context(cafile=self.authorities)
        except (OSError, ssl.SSLError) as error:
            raise errors.Invalid(f"the certificates in {self.authorities} cannot be read: {error}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server is."""

    host: str
    port: int
    secure: bool
    path: str
    """What its paths begin with; no slash at the end."""

    @classmethod
    def of(cls, url: str) -> "Place":
        """Raises Invalid for what is no address of a web server."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise errors.Invalid(f"{url!r} is no address: {error}") from error
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise errors.Invalid(
                f"{url!r} is no address of a server: it must look like https://HOST or http://HOST:PORT"
            )
        secure = parts.scheme in ("https", "wss")
        return cls(
            host=parts.hostname,
            port=port or (443 if secure else 80),
            secure=secure,
            path=parts.path.rstrip("/"),
        )

    @property
    def origin(self) -> str:
        """Host and port as they stand in an address."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.origin}"


class Connection:
    """Requests to one server, one after the other. Raises Unreachable or Lost, whatever went wrong."""

    def __init__(self, place: Place, trust: Trust) -> None:
        self._place = place
        self._trust = trust
        self._http: http.client.HTTPConnection | None = None
        self._answer: http.client.HTTPResponse | None = None

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, *, patience: float = PATIENCE
    ) -> http.client.HTTPResponse:
        """The answer, whatever its status; to be read to its end before the next is asked for. `path` begins below the place's own."""

        def asked(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
            connection.request(method, self._place.path + path, body, dict(headers))
            self._answer = connection.getresponse()
            return self._answer

        return self._guarded(asked, patience)

    def read(self, answer: http.client.HTTPResponse) -> bytes:
        """All of its body."""

        def whole() -> bytes:
            # Left to its finalizer, whatever is raised while it is closed is swallowed, be it that somebody types Ctrl-C.
            with answer:
                return answer.read()

        return self.translated(whole)

    def upload(self, method: str, path: str, headers: Mapping[str, str]) -> "Upload":
        """A request whose body is written piece by piece."""

        def begun(connection: http.client.HTTPConnection) -> Upload:
            connection.putrequest(method, self._place.path + path)
            for name, value in {**headers, "Transfer-Encoding": "chunked"}.items():
                connection.putheader(name, value)
            connection.endheaders()
            return Upload(connection, self)

        return self._guarded(begun, PATIENCE)

    def dialled(self) -> socket.socket:
        """A new connection for something else than HTTP."""
        connected = self._dial().sock
        assert isinstance(connected, socket.socket)
        return connected

    def close(self) -> None:
        """Let go of it; the next request opens another."""
        if self._http is not None:
            self._http.close()
        self._http = self._answer = None

    def _guarded(self, act: Callable[[http.client.HTTPConnection], Result], patience: float) -> Result:
        connection = self._opened()
        if connection.sock is not None:
            connection.sock.settimeout(patience)
        return self.translated(lambda: act(connection))

    def _opened(self) -> http.client.HTTPConnection:
        if self._answer is not None and not self._answer.isclosed():
            # Whoever asked was interrupted before it was read; what still comes is no answer to the next.
            self.close()
        if self._http is None or self._http.sock is None:
            self._http = self._dial()
        return self._http

    def _dial(self) -> http.client.HTTPConnection:
        place = self._place
        connection: http.client.HTTPConnection
        if place.secure:
            connection = http.client.HTTPSConnection(place.host, place.port, context=self._trust.context(), timeout=20)
        else:
            connection = http.client.HTTPConnection(place.host, place.port, timeout=20)
        try:
            connection.connect()
        except OSError as error:
            raise unreachable(place, error) from error
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for level, option, value in _KEPT_ALIVE:
            connection.sock.setsockopt(level, option, value)
        return connection

    def translated(self, act: Callable[[], Result]) -> Result:
        """What it returns. What breaks on the way is a Lost, and the connection is let go."""
        try:
            return act()
        except KeyboardInterrupt:
            # Half an exchange hangs in it: whoever still has something to ask needs another.
            self.close()
            raise
        except TimeoutError as error:
            self.close()
            raise Lost(f"{self._place} did not answer in time") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f"the connection to {self._place} broke: {_words(error)}") from error


class Upload:
    """The body of a request, written piece by piece as a file is."""

    def __init__(self, connection: http.client.HTTPConnection, owner: Connection) -> None:
        self._http = connection
        self._owner = owner
        self.refused = False
        """The server has stopped listening; its answer says why."""

    def write(self, content: bytes) -> int:
        """Send it, unless the server has stopped listening."""
        if content and not self.refused:
            try:
                self._http.send(b"%x\r\n%b\r\n" % (len(content), content))
            except (BrokenPipeError, ConnectionResetError):
                self.refused = True
        return len(content)

    def answer(self) -> http.client.HTTPResponse:
        """End the body, and wait for what the server says. Raises Lost."""
        if not self.refused:
            try:
                self._http.send(b"0\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                self.refused = True
        return self._owner.translated(self._http.getresponse)


def unreachable(place: Place, error: OSError) -> Unreachable:
    """Why there is no connection, and what to look at."""
    match error:
        case ssl.SSLCertVerificationError():
            failure = Unreachable(f"{place} does not prove who it is: {error.verify_message}")
            failure.add_note("Name the file of its authority with OS_CACERT, or see whether this is the right address.")
        case ssl.SSLError():
            failure = Unreachable(f"{place} does not speak TLS as it should: {_words(error)}")
            failure.add_note("If it speaks plain HTTP, the address begins with http://.")
        case socket.gaierror():
            failure = Unreachable(f"there is no server of the name {place.host}: {error.strerror}")
            failure.add_note("Look at the address: OS_AUTH_URL, or what was given to `higgins login`.")
        case TimeoutError():
            failure = Unreachable(f"{place} does not answer")
            failure.add_note("Look at the address, and whether a firewall stands between.")
        case _:
            failure = Unreachable(f"nothing answers at {place}: {_words(error)}")
            failure.add_note(
                "Is it running there? Look at the address: OS_AUTH_URL, or what was given to `higgins login`."
            )
    return failure


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower() if error.strerror[1:2].islower() else error.strerror
    return str(error) or type(error).__name__
