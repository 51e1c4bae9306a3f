"""Bytes through a terminal of Higgins, over its WebSocket, link and agent, against `docker exec` into the same container."""

import asyncio
import contextlib
import os
import pty
import shlex
import subprocess
import time
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import click

from bench import figures, options, report, running
from bench.running import Client, Trouble

AIM = 0.5
_PIECE = 64 * 1024
_KEYS = 100
"""Keystrokes in one round."""
_READY = b"ready"
_TYPING = ("sh", "-c", "stty raw -echo; echo ready; exec cat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Which way the bytes go."""

    title: str
    command: Callable[[int], Sequence[str]]
    """For so many bytes."""
    gives: bool
    takes: bool


WAYS = {
    "out": Way(
        title="out of the container",
        command=lambda size: ("dd", "if=/dev/zero", f"bs={_PIECE}", f"count={size // _PIECE}"),
        gives=False,
        takes=True,
    ),
    "in": Way(title="into it", command=lambda _: ("sh", "-c", "cat > /dev/null"), gives=True, takes=False),
    "both": Way(title="both ways at once, through cat", command=lambda _: ("cat",), gives=True, takes=True),
}


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Times that each is measured, in turn.")
@click.option("--size", default=128, show_default=True, help="MiB in one measurement.")
@click.option("--apart", is_flag=True, help="An agent apart from its control plane, over TLS, instead of all-in-one.")
@options.socket
@options.kept
def main(*, rounds: int, size: int, apart: bool, socket: str, kept: Path | None) -> None:
    """Measure throughput, and how long a keystroke takes to come back, `docker exec` and Higgins in turn."""
    running.command(_measure(rounds, size << 20, socket, kept, apart=apart))


async def _measure(rounds: int, size: int, socket: str, kept: Path | None, *, apart: bool) -> None:
    values: dict[str, list[float]] = {}
    async with running.both(socket, apart=apart) as there:
        container = await there.client.run("streams")
        floor = Floor(socket, f"higgins-{container}")
        ours = Ours(there.client, container)
        for _ in range(rounds):
            for name, way in WAYS.items():
                values.setdefault(f"{name} floor", []).append(await asyncio.to_thread(floor.pump, way, size))
                values.setdefault(name, []).append(await ours.pump(way, size))
            values.setdefault("key floor", []).extend(await asyncio.to_thread(floor.type))
            values.setdefault("key", []).extend(await ours.type())
    ratios = {name: figures.ratio(values[name], values[f"{name} floor"]) for name in WAYS}
    rows = [
        [
            way.title,
            f"{figures.of(values[name]).median:.0f}",
            f"{figures.of(values[f'{name} floor']).median:.0f}",
            f"{ratios[name]:.2f}",
            f"{AIM:.2f}",
        ]
        for name, way in WAYS.items()
    ]
    keys, floor_keys = figures.of(values["key"]), figures.of(values["key floor"])
    report.show(
        f"Streams of {size >> 20} MiB{', the agent apart' if apart else ''}, {rounds} rounds in turn: MB/s, median",
        there.where,
        ["", "Higgins", "docker exec", "ratio", "aim"],
        rows,
        f"A keystroke comes back after {keys.median:.2f} ms (95th percentile {keys.p95:.2f}); "
        f"with docker exec after {floor_keys.median:.2f} ms ({floor_keys.p95:.2f}).",
    )
    report.keep(
        kept, "streams", there.where, {"ratios": ratios, "aim": AIM, "apart": apart, "size": size, "values": values}
    )


class Floor:
    """The `docker` command, at the same container."""

    def __init__(self, socket: str, container: str) -> None:
        self._command = ["docker", "-H", f"unix://{socket}", "exec"]
        self._container = container

    def pump(self, way: Way, size: int) -> float:
        """MB/s."""
        options = ["-i"] if way.gives else []
        began = time.perf_counter()
        with subprocess.Popen(
            [*self._command, *options, self._container, *way.command(size)],
            stdin=subprocess.PIPE if way.gives else subprocess.DEVNULL,
            stdout=subprocess.PIPE if way.takes else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            # Fed by a process of its own: what is measured must not wait for this one's lock.
            feeding = None if process.stdin is None else subprocess.Popen(_feed(size), stdout=process.stdin)
            if process.stdin is not None:
                process.stdin.close()
            taken = 0
            if process.stdout is not None:
                while content := os.read(process.stdout.fileno(), _PIECE):
                    taken += len(content)
            if feeding is not None:
                feeding.wait()
            if process.wait() != 0 or (way.takes and taken != size):
                raise Trouble(f"docker exec ended with {process.returncode} after {taken} of {size} bytes")
        return size / (time.perf_counter() - began) / 1e6

    def type(self) -> list[float]:
        """Milliseconds for each key."""
        with _terminal() as (ours, theirs):
            command = [*self._command, "-it", self._container, *_TYPING]
            with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
                printed = b""
                while _READY not in printed:
                    printed += os.read(ours, 1000)
                time.sleep(0.2)
                taken = []
                for _ in range(_KEYS):
                    began = time.perf_counter()
                    os.write(ours, b"k")
                    os.read(ours, 1)
                    taken.append((time.perf_counter() - began) * 1000)
                process.kill()
        return taken


def _feed(size: int) -> Sequence[str]:
    return ("dd", "if=/dev/zero", f"bs={_PIECE}", f"count={size // _PIECE}", "status=none")


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    try:
        tty.setraw(theirs)
        yield ours, theirs
    finally:
        for end in (ours, theirs):
            with contextlib.suppress(OSError):
                os.close(end)


class Ours:
    """A console of Higgins."""

    def __init__(self, client: Client, container: str) -> None:
        self._client = client
        self._container = container

    async def pump(self, way: Way, size: int) -> float:
        """MB/s."""
        began = time.perf_counter()
        taken = 0
        async with self._console(way.command(size), terminal=False, stdin=way.gives) as socket:
            async with asyncio.TaskGroup() as group:
                if way.gives:
                    group.create_task(_give(socket, size))
                async for message in socket:
                    if message.data[0] == 1:
                        taken += len(message.data) - 1
                    elif message.data[0] == 3:
                        if b'"exit_code":0' not in message.data.replace(b" ", b""):
                            raise Trouble(f"a command ended with {message.data[1:]!r}")
                        break
        if way.takes and taken != size:
            raise Trouble(f"a console gave {taken} of {size} bytes")
        return size / (time.perf_counter() - began) / 1e6

    async def type(self) -> list[float]:
        """Milliseconds for each key."""
        async with self._console(_TYPING, terminal=True, stdin=True) as socket:
            printed = b""
            while _READY not in printed:
                printed += await socket.receive_bytes()
            await asyncio.sleep(0.2)
            taken = []
            for _ in range(_KEYS):
                began = time.perf_counter()
                await socket.send_bytes(b"\0k")
                await socket.receive_bytes()
                taken.append((time.perf_counter() - began) * 1000)
        return taken

    @asynccontextmanager
    async def _console(
        self, command: Sequence[str], *, terminal: bool, stdin: bool
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        body = {"command": shlex.join(command), "run": False, "tty": terminal, "stdin": stdin}
        path = f"/v1/containers/{self._container}/execute"
        status, answer = await self._client.call("POST", path, body, microversion="1.41")
        if status != 200:
            raise Trouble(f"a console was answered with {status} {answer}")
        async with self._client.http.ws_connect(
            answer["proxy_url"], protocols=["v1.channels.higgins"], max_msg_size=0
        ) as socket:
            yield socket


async def _give(socket: aiohttp.ClientWebSocketResponse, size: int) -> None:
    piece = b"\0" + bytes(_PIECE)
    for _ in range(size // _PIECE):
        await socket.send_bytes(piece)
    await socket.send_bytes(b"\xff\0")


if __name__ == "__main__":
    main()
