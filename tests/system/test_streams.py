"""What goes through a console or a log, by the whole way: WebSocket, control plane, encrypted link, agent, Docker Engine and back."""

import asyncio
import contextlib
import hashlib
import json
import os
import shlex
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from higgins.drivers.engine import Engine
from tests.system.engine import BUSYBOX
from tests.system.servers import Agent, Control

pytestmark = pytest.mark.docker

CHANNELS, BINARY = "v1.channels.higgins", "binary"
STDIN, STDOUT, STDERR, END, SIZE, END_OF_INPUT = b"\0", 1, 2, 3, b"\4", b"\xff\0"
PATIENCE = 20.0
"""Seconds in which whatever is to happen has happened."""
MIB = 1 << 20
ROOM = 12 * MIB
"""Bytes by which a process may grow while somebody does not read: buffers of a known size on the way, and what an allocator keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A control plane and one host of it, each a process."""

    control: Control
    agent: Agent

    def memory(self) -> dict[str, int]:
        """Resident bytes of each."""
        processes = {"control plane": self.control.process, "agent": self.agent.process}
        return {name: _resident(process.pid) for name, process in processes.items() if process is not None}


def _resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def site(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("streams")
    control = Control(directory, docker_url)
    agent = Agent(control)
    # While a log is followed, an engine of 20.10 tells twice what it begins the next file with.
    agent.variables = {"OS_DOCKER__LOG_SIZE": "20000"}
    try:
        control.start()
        agent.join()
        yield Site(control=control, agent=agent)
        control.assert_no_traceback()
        agent.assert_no_traceback()
    finally:
        agent.kill()
        control.remove()


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    return site.control.add("stella", "stage", "admin").token()


@pytest.fixture
async def stage(site: Site, token: str) -> "AsyncIterator[Stage]":
    headers = {"X-Auth-Token": token, "OpenStack-API-Version": "container 1.41"}
    async with aiohttp.ClientSession(f"{site.control.url}/", headers=headers) as http:
        one = Stage(http, site)
        try:
            yield one
        finally:
            for container in one.made:
                await one.call("DELETE", f"v1/containers/{container}", force="true")


class Stage:
    """Somebody with containers of their own, as a client sees them."""

    def __init__(self, http: aiohttp.ClientSession, site: Site) -> None:
        self._http = http
        self.site = site
        self.made: list[str] = []

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        async with self._http.request(method, path, json=body, params=query) as answer:
            text = await answer.text()
            assert answer.status < 300 or (method, answer.status) == ("DELETE", 404), text
            return json.loads(text) if text else None

    async def run(self, *command: str, **said: object) -> str:
        """A container that runs."""
        body = {"image": BUSYBOX, "command": list(command or ("sleep", "600")), **said}
        made: str = (await self.call("POST", "v1/containers", body, run="true"))["uuid"]
        self.made.append(made)
        shown = await self.call("GET", f"v1/containers/{made}", wait="Running,Stopped", timeout="60")
        assert shown["status"] in ("Running", "Stopped"), shown
        return made

    @asynccontextmanager
    async def enter(
        self, container: str, *command: str, tty: bool = False, stdin: bool = True, protocol: str = CHANNELS
    ) -> "AsyncIterator[Terminal]":
        body = {"command": shlex.join(command), "run": False, "tty": tty, "stdin": stdin}
        told = await self.call("POST", f"v1/containers/{container}/execute", body)
        async with self._sit_down(told["proxy_url"], protocol) as terminal:
            yield terminal

    @asynccontextmanager
    async def attach(self, container: str, *, protocol: str = CHANNELS) -> "AsyncIterator[Terminal]":
        url = await self.call("GET", f"v1/containers/{container}/attach", stdin="true")
        async with self._sit_down(url, protocol) as terminal:
            yield terminal

    @asynccontextmanager
    async def _sit_down(self, url: str, protocol: str) -> "AsyncIterator[Terminal]":
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(url, protocols=[protocol], max_msg_size=0) as opened,
        ):
            assert opened.protocol == protocol
            yield Terminal(opened)

    @asynccontextmanager
    async def logs(self, container: str, **query: str) -> AsyncIterator[aiohttp.StreamReader]:
        async with self._http.get(f"v1/containers/{container}/logs", params=query, timeout=FOREVER) as answer:
            assert answer.status == 200, await answer.text()
            yield answer.content

    async def runs(self, container: str, word: str) -> bool:
        """Whether a process with this word in its command runs there."""
        told = await self.call("GET", f"v1/containers/{container}/top")
        return any(word in row[-1] for row in told["Processes"])


FOREVER = aiohttp.ClientTimeout(total=None)


class Terminal:
    """A console, in bytes."""

    def __init__(self, opened: aiohttp.ClientWebSocketResponse) -> None:
        self.opened = opened
        self.ended: dict[str, Any] | None = None
        """What was said of the end."""

    async def type(self, text: bytes) -> None:
        await self.opened.send_bytes(STDIN + text)

    async def resize(self, width: int, height: int) -> None:
        await self.opened.send_bytes(SIZE + json.dumps({"width": width, "height": height}).encode())

    async def piece(self) -> tuple[int, bytes] | None:
        """A channel and what came on it; None at the end."""
        async with asyncio.timeout(PATIENCE):
            message = await self.opened.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            return None
        channel, content = message.data[0], message.data[1:]
        if channel == END:
            self.ended = json.loads(content)
            return None
        return channel, content

    async def until(self, text: bytes) -> bytes:
        """All that is said up to this."""
        heard = b""
        while text not in heard:
            piece = await self.piece()
            assert piece is not None, f"it ended with {self.ended} after {heard[-500:]!r}"
            heard += piece[1]
        return heard

    async def rest(self) -> dict[int, bytes]:
        """All that is said, by channel, to the end."""
        heard = {STDOUT: bytearray(), STDERR: bytearray()}
        while piece := await self.piece():
            heard[piece[0]] += piece[1]
        return {channel: bytes(content) for channel, content in heard.items()}

    def vanish(self) -> None:
        """As a client does whose machine loses its power."""
        connection = self.opened._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()


async def eventually(truth: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await truth():
            await asyncio.sleep(0.1)


# What arrives is what was sent


async def test_every_byte_arrives_as_it_was_given_in_both_directions(stage: Stage) -> None:
    container = await stage.run()
    given = bytes(range(256)) * 1024 + os.urandom(8 * MIB)
    async with stage.enter(container, "cat") as terminal, asyncio.TaskGroup() as group:

        async def give() -> None:
            for start in range(0, len(given), 70_001):
                await terminal.type(given[start : start + 70_001])
            await terminal.opened.send_bytes(END_OF_INPUT)

        group.create_task(give())
        heard = await terminal.rest()
    assert hashlib.sha256(heard[STDOUT]).digest() == hashlib.sha256(given).digest()
    assert (heard[STDERR], terminal.ended) == (b"", {"exit_code": 0})


async def test_the_end_of_the_input_is_not_the_end_of_the_talk(stage: Stage) -> None:
    container = await stage.run()
    async with stage.enter(container, "sh", "-c", "wc -c; sleep 0.3; echo aside >&2; exit 7") as terminal:
        await terminal.type(b"x" * 100_000)
        await terminal.opened.send_bytes(END_OF_INPUT)
        assert await terminal.rest() == {STDOUT: b"100000\n", STDERR: b"aside\n"}
    assert terminal.ended == {"exit_code": 7}


async def test_a_terminal_has_the_size_it_was_given_last(stage: Stage) -> None:
    own = await stage.run("sh", interactive=True, tty=True)
    async with stage.enter(own, "sh", tty=True) as entered, stage.attach(own) as attached:
        for terminal, (width, height) in ((entered, (101, 37)), (attached, (55, 22)), (entered, (133, 43))):
            await terminal.resize(width, height)
            async with asyncio.timeout(PATIENCE):
                told = b""
                while f"{height} {width}".encode() not in told:
                    await terminal.type(b"stty size; echo d''one\n")
                    told = await terminal.until(b"done\r\n")


async def test_no_frame_for_older_clients_divides_a_character(stage: Stage) -> None:
    container = await stage.run()
    # 10 bytes a line: no power of two, in which whoever is on the way cuts.
    text = "aä€😀"
    script = f"yes {text} | head -n 150000; echo; echo over"
    heard = []
    async with stage.enter(container, "sh", "-c", script, tty=True, protocol=BINARY) as terminal:
        while (message := await terminal.opened.receive(PATIENCE)).type is aiohttp.WSMsgType.BINARY:
            heard.append(message.data.decode())
        assert terminal.opened.close_code == aiohttp.WSCloseCode.OK
    assert "".join(heard) == f"{text}\r\n" * 150_000 + "\r\nover\r\n"
    assert len(heard) > 10


# Whoever does not take stops whoever gives


async def test_nobody_grows_while_a_client_reads_nothing(stage: Stage) -> None:
    container = await stage.run()
    async with stage.enter(container, "dd", "if=/dev/zero", "bs=64k", "count=1000", stdin=False) as terminal:
        assert len((await terminal.rest())[STDOUT]) == 1000 * 65536
    before = stage.site.memory()
    async with stage.enter(container, "dd", "if=/dev/zero", "bs=64k", "count=2000", stdin=False) as terminal:
        assert await terminal.piece() is not None
        await asyncio.sleep(4)
        # Busybox divides the words of its command line where they had a sign of equality.
        assert await stage.runs(container, "count 2000"), "125 MiB have gone somewhere"
        assert_not_grown(stage.site, before)
        # And whoever reads again gets it all.
        while piece := await terminal.piece():
            assert piece[0] in (STDOUT, STDERR)
    assert terminal.ended == {"exit_code": 0}
    assert_not_grown(stage.site, before)


async def test_nobody_grows_while_a_command_reads_nothing(stage: Stage) -> None:
    container = await stage.run()
    async with stage.enter(container, "sh", "-c", "cat > /dev/null") as terminal:
        for _ in range(500):
            await terminal.type(bytes(65536))
        await terminal.opened.send_bytes(END_OF_INPUT)
        await terminal.rest()
    before, given = stage.site.memory(), 0
    async with stage.enter(container, "sh", "-c", "sleep 4; wc -c") as terminal, asyncio.TaskGroup() as group:

        async def give() -> None:
            nonlocal given
            while given < 64 * MIB:
                await terminal.type(bytes(65536))
                given += 65536
            await terminal.opened.send_bytes(END_OF_INPUT)

        group.create_task(give())
        await asyncio.sleep(3)
        assert given < ROOM, "it was taken, and nobody has read it"
        assert_not_grown(stage.site, before)
        assert int((await terminal.rest())[STDOUT]) == 64 * MIB
    assert_not_grown(stage.site, before)


def assert_not_grown(site: Site, before: dict[str, int]) -> None:
    for name, now in site.memory().items():
        assert now - before[name] < ROOM, f"the {name} has grown by {(now - before[name]) / MIB:.0f} MiB"


# Whoever ends or vanishes


@pytest.mark.parametrize("how", ["enter", "attach"])
async def test_a_container_that_dies_ends_its_talks_whatever_is_being_written(stage: Stage, how: str) -> None:
    container = await stage.run("sleep", "600", interactive=True)
    opening = stage.enter(container, "sleep", "500") if how == "enter" else stage.attach(container)
    async with opening as terminal, asyncio.TaskGroup() as group:

        async def give() -> None:
            with contextlib.suppress(ConnectionError):
                for _ in range(200):
                    await terminal.type(bytes(65536))

        group.create_task(give())
        await asyncio.sleep(0.3)
        await stage.call("DELETE", f"v1/containers/{container}", force="true")
        await terminal.rest()
        await terminal.opened.close()
    assert terminal.ended is not None, "the connection was only broken off"


async def test_a_command_that_reads_no_more_ends_its_talk_when_it_ends(stage: Stage) -> None:
    container = await stage.run()
    async with stage.enter(container, "head", "-c", "5") as terminal, asyncio.TaskGroup() as group:

        async def give() -> None:
            with contextlib.suppress(ConnectionError):
                for _ in range(200):
                    await terminal.type(bytes(65536))

        group.create_task(give())
        assert await terminal.rest() == {STDOUT: bytes(5), STDERR: b""}
        await terminal.opened.close()
    assert terminal.ended == {"exit_code": 0}


@pytest.mark.parametrize("tty", [True, False])
async def test_a_client_that_vanishes_takes_its_command_along_and_nothing_else(stage: Stage, *, tty: bool) -> None:
    container = await stage.run("sh", interactive=True, tty=True)
    async with stage.enter(container, "sh", "-c", "echo up; sleep 4321; echo", tty=tty) as terminal:
        await terminal.until(b"up")
        assert await stage.runs(container, "sleep 4321")
        terminal.vanish()

    async def gone() -> bool:
        return not await stage.runs(container, "sleep 4321")

    await eventually(gone)
    async with stage.attach(container) as terminal:
        await terminal.type(b"echo still $((40+2))\n")
        await terminal.until(b"still 42")
        terminal.vanish()
    async with stage.attach(container) as terminal:
        await terminal.type(b"echo again $((40+3))\n")
        await terminal.until(b"again 43")


# Logs however large


async def test_the_end_of_an_enormous_log_comes_at_once_and_is_followed(stage: Stage) -> None:
    """The log has 10 GiB, of which the first are a hole: whoever read, counted or kept what lies before the end would need minutes or memory."""
    script = (
        "if [ -e /more ]; then read more; echo $more; else touch /more; for n in 1 2 3 4 5; do echo line $n; done; fi"
    )
    container = await stage.run("sh", "-c", script, interactive=True)
    log = await log_of(stage, container, lines=5)
    # An engine knows how long the log is of what runs.
    await stage.call("GET", f"v1/containers/{container}", wait="Stopped", timeout="60")
    kept = log.read_bytes()
    with log.open("r+b") as file:
        file.truncate(0)
        file.seek(10 << 30)
        file.write(kept)
    await stage.call("POST", f"v1/containers/{container}/start")
    await stage.call("GET", f"v1/containers/{container}", wait="Running", timeout="60")
    before = stage.site.memory()
    began = time.monotonic()
    async with stage.logs(container, tail="3", follow="true") as content:
        assert await content.readexactly(21) == b"line 3\nline 4\nline 5\n"
        assert time.monotonic() - began < PATIENCE / 2
        async with stage.attach(container) as terminal:
            await terminal.type(b"and more\n")
            assert await content.readexactly(9) == b"and more\n"
        assert await content.read() == b""
    assert_not_grown(stage.site, before)


async def test_a_long_log_is_read_as_it_is_taken(stage: Stage) -> None:
    container = await stage.run("echo", "first")
    log = await log_of(stage, container, lines=1)
    line = json.dumps({"log": "x" * 999 + "\n", "stream": "stdout", "time": "2026-11-21T12:00:00.000000000Z"}) + "\n"
    with log.open("a") as file:
        for _ in range(64):
            file.write(line * 1024)
    before = stage.site.memory()
    async with stage.logs(container, follow="true") as content:
        assert await content.readexactly(6) == b"first\n"
        await asyncio.sleep(3)
        assert_not_grown(stage.site, before)
        for _ in range(20_000):
            assert await content.readexactly(1000) == b"x" * 999 + b"\n"
        assert_not_grown(stage.site, before)


async def log_of(stage: Stage, container: str, *, lines: int) -> Path:
    """The file in which the engine keeps what a container has printed; the tests run as root beside it."""
    async with Engine(stage.site.control.docker_url) as engine:
        told = json.loads(await engine.call("GET", f"containers/higgins-{container}/json"))
    path = Path(told["LogPath"])
    async with stage.logs(container, follow="true") as content:
        for _ in range(lines):
            await content.readuntil()
    return path
