"""Serves an application on a TCP address and a Unix socket, and stops without cutting off what is under way."""

import errno
import logging
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from higgins import errors

_LONGEST_LINE = 64 * 1024
"""Bytes of a request's first line. A path inside a container has up to 4,096 characters of any script, of which each takes up to twelve in a query."""


class _Foreseen(logging.Filter):
    """Keeps out what is no HTTP: whoever sent it is told, and an operator could do nothing about it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_http = logging.getLogger(f"{__name__}.http")
_http.addFilter(_Foreseen())


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where a server can be reached."""

    host: str
    port: int
    """The real one, where any was asked for with 0."""
    socket_path: Path | None

    @property
    def url(self) -> str:
        """The address on this machine, without a slash at the end."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@asynccontextmanager
async def serving(
    app: web.Application,
    *,
    host: str,
    port: int,
    socket_path: Path | None = None,
    grace: float = 10.0,
) -> AsyncIterator[Listening]:
    """Serve while the block runs; then take no new connections and give requests under way `grace` seconds.

    The Unix socket is for its owner and group. Raises Unavailable if an address is in use, Invalid if it can never be listened on.
    """
    # No access log: it would say nothing of successful reads anyway, and must not know of tokens.
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_http,
        max_line_size=_LONGEST_LINE,
        handle_signals=False,
        shutdown_timeout=grace,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, backlog=1024).start()
        except OSError as error:
            raise _unreachable(f"{host}:{port}", error) from error
        listening = Listening(host=host, port=runner.addresses[0][1], socket_path=socket_path)
        if socket_path is None:
            yield listening
            return
        _clear(socket_path)
        try:
            await web.UnixSite(runner, socket_path).start()
            _share(socket_path)
        except OSError as error:
            raise _unreachable(str(socket_path), error) from error
        try:
            yield listening
        finally:
            # Nobody who comes now should find a socket that is about to close.
            _remove(socket_path)
    finally:
        await runner.cleanup()


def _share(path: Path) -> None:
    path.chmod(0o660)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Remove the socket that a killed server left behind. Raises Unavailable if somebody still listens on it."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise errors.Invalid(f"{path} exists and is no socket; name another path or remove it.")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise errors.Unavailable(f"{path} is in use: another server listens there. Stop it, or configure another path.")


def _unreachable(address: str, error: OSError) -> errors.Failure:
    match error.errno:
        case errno.EADDRINUSE:
            remedy = "Stop the program that listens there, or configure another address or port."
            return errors.Unavailable(f"The address {address} is in use. {remedy}")
        case errno.EACCES | errno.EPERM:
            return errors.Invalid(
                f"Listening on {address} is not permitted. Configure a port from 1024 on, or run as root."
            )
        case _:
            return errors.Invalid(f"It is not possible to listen on {address}: {error.strerror or error}.")
