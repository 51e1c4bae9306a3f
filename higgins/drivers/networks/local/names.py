"""One network's name server: a dnsmasq in its router, which outlives whoever started it."""

import asyncio
import os
import signal
from pathlib import Path

from higgins import errors
from higgins.drivers.networks.local.commands import inside, run
from higgins.drivers.networks.local.processes import within
from higgins.drivers.networks.local.shelf import Shelf
from higgins.drivers.networks.local.wanted import NAMESERVER

_RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""Who else is asked. The second where the first names nobody but the machine itself, which no network reaches."""
_ATTEMPTS = 5


def runs(shelf: Shelf) -> bool:
    """Whether it is there."""
    return _process(shelf) is not None


def namespace(shelf: Shelf) -> Path | None:
    """The one that it is in, whether or not that still has a name; None: it does not run."""
    process = _process(shelf)
    return None if process is None else process / "ns" / "net"


def _process(shelf: Shelf) -> Path | None:
    try:
        process = Path("/proc", shelf.server.read_text().strip() or "none")
        return process if str(shelf.server).encode() in (process / "cmdline").read_bytes() else None
    except OSError:
        return None


async def start(shelf: Shelf, namespace: Path) -> None:
    """It answers when this returns. It reads the ports' files by itself, also those that come and go later."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            await _start(shelf, namespace)
        except errors.Unavailable:
            if not left:
                raise
            # One that has just died has its address for a moment more.
            await asyncio.sleep(0.1)
        else:
            return


async def _start(shelf: Shelf, namespace: Path) -> None:
    await run(
        *inside(namespace),
        "setsid",
        "dnsmasq",
        "--conf-file=/dev/null",
        "--no-hosts",
        f"--hostsdir={shelf.hosts}",
        f"--pid-file={shelf.server}",
        f"--listen-address={NAMESERVER}",
        "--bind-interfaces",
        "--domain-needed",
        "--bogus-priv",
        "--user=nobody",
        "--log-facility=/dev/null",
        *_upstream(),
    )


async def end(namespace: Path) -> None:
    """Neither it nor anything else runs in the router any more."""
    for name in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(100):
            left = await asyncio.to_thread(within, namespace)
            if not left:
                return
            for pid in left:
                _signal(pid, name)
            await asyncio.sleep(0.01)
    raise errors.Unavailable(f"Processes in {namespace} do not end.")


def _signal(pid: int, name: signal.Signals) -> None:
    try:
        os.kill(pid, name)
    except ProcessLookupError:
        pass


def _upstream() -> tuple[str, ...]:
    for path in _RESOLVERS:
        try:
            lines = [line.split() for line in path.read_text().splitlines()]
        except OSError:
            continue
        servers = [line[1] for line in lines if line[:1] == ["nameserver"] and len(line) > 1]
        if any(not server.startswith("127.") and server != "::1" for server in servers):
            return (f"--resolv-file={path}",)
    return ("--no-resolv",)
