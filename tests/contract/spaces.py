"""Network namespaces of processes that sleep, and sockets in them."""

import asyncio
import ctypes
import itertools
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, NamedTuple

CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Space:
    """One namespace. A socket that was made in it stays in it, whoever uses it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.path = f"/proc/{pid}/ns/net"
        self._thread = ThreadPoolExecutor(1, initializer=_enter, initargs=(self.path,))

    async def socket(
        self, kind: int = socket.SOCK_STREAM, family: int = socket.AF_INET, protocol: int = 0
    ) -> socket.socket:
        """One that is here, and does not block."""
        made = await asyncio.get_running_loop().run_in_executor(self._thread, socket.socket, family, kind, protocol)
        made.setblocking(False)
        return made

    async def says(self, *command: str) -> str:
        """What a program answers that runs here."""
        return await _run("nsenter", f"--net={self.path}", *command)

    async def show(self, *words: str) -> Any:
        """What ip says of this namespace."""
        return json.loads(await self.says("ip", "-j", *words) or "[]")

    async def addresses(self) -> dict[str, tuple[str, ...]]:
        """By their interfaces, without the one that every namespace has."""
        return {
            link["ifname"]: tuple(each["local"] for each in link["addr_info"])
            for link in await self.show("address")
            if link["ifname"] != "lo"
        }

    def close(self) -> None:
        self._thread.shutdown()


@contextmanager
def elsewhere() -> Iterator[None]:
    """Until the end of this, what this thread does with networks, and what it starts, happens on a machine without any."""
    with open("/proc/self/ns/net") as here:
        if _LIBC.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no new network namespace")
        try:
            yield
        finally:
            _LIBC.setns(here.fileno(), CLONE_NEWNET)


def _enter(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    if _LIBC.setns(file, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), path)
    os.close(file)


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0, command
    return said.decode()


class Spaces:
    """All namespaces of a test, which end with it."""

    def __init__(self) -> None:
        self.open: dict[int, tuple[Space, asyncio.subprocess.Process]] = {}
        self.stack = AsyncExitStack()

    async def start(self) -> Space:
        """A new one, without any interface."""
        process = await asyncio.create_subprocess_exec(
            "unshare", "--net", "sh", "-c", "echo; exec sleep 600", stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await process.stdout.readline()
        space = Space(process.pid)
        self.open[process.pid] = space, process
        return space

    async def end(self, pid: int) -> None:
        """Its process is gone, and the namespace with it."""
        space, process = self.open.pop(pid)
        space.close()
        process.kill()
        await process.wait()

    async def listen(self, space: Space | None, port: int, *, udp: bool = False, address: str = "0.0.0.0") -> int:
        """Whoever comes to this port is told which address it came from; None: in the host's own namespace. The answer is the port."""
        kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
        made = await space.socket(kind) if space else socket.socket(socket.AF_INET, kind)
        made.setblocking(False)
        made.bind((address, port))
        number: int = made.getsockname()[1]
        if udp:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Echo, sock=made)
            self.stack.callback(transport.close)
        else:
            await self.stack.enter_async_context(await asyncio.start_server(_tell, sock=made))
        return number


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(addr[0].encode(), addr)


async def _tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(writer.get_extra_info("peername")[0].encode())
    writer.close()


@asynccontextmanager
async def spaces() -> AsyncIterator[Spaces]:
    made = Spaces()
    try:
        async with made.stack:
            yield made
    finally:
        for pid in list(made.open):
            await made.end(pid)


async def ask(space: Space | None, address: str, port: int, *, udp: bool = False, within: float = 10) -> str | None:
    """What a listener there says; None: it is not reached, or does not answer."""
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    with await space.socket(kind) if space else socket.socket(socket.AF_INET, kind) as made:
        made.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(within):
                await loop.sock_connect(made, (address, port))
                if udp:
                    await loop.sock_sendall(made, b"?")
                return (await loop.sock_recv(made, 100)).decode()
        except (TimeoutError, OSError):
            return None


async def look_up(space: Space, name: str, *, server: str = "169.254.53.53") -> list[str]:
    """The addresses that a name server says this name has."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    with await space.socket(socket.SOCK_DGRAM) as made:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(3):
            await loop.sock_connect(made, (server, 53))
            await loop.sock_sendall(
                made, struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + question + struct.pack(">HH", 1, 1)
            )
            answer = await loop.sock_recv(made, 1000)
    count = struct.unpack_from(">6H", answer)[3]
    # Each answer to a question for addresses ends with the address.
    rest = answer[12 + len(question) + 4 :]
    return sorted(socket.inet_ntoa(rest[16 * each + 12 : 16 * each + 16]) for each in range(count))


class World(NamedTuple):
    """A machine that is reached through this host, and knows nothing but it."""

    space: Space
    here: str
    """The host's address on the way there."""
    address: str


_numbers = itertools.count(os.getpid() % 4096)


@asynccontextmanager
async def a_world(room: Spaces) -> AsyncIterator[World]:
    """There is one."""
    space = await room.start()
    high, low = divmod(next(_numbers) % 8192 * 8, 256)
    here, there = f"198.18.{high}.{low + 1}", f"198.18.{high}.{low + 2}"
    link = f"hgt{space.pid}"
    await _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(space.pid))
    await _run("ip", "address", "add", f"{here}/30", "dev", link)
    await _run("ip", "link", "set", link, "up")
    await space.says("ip", "address", "add", f"{there}/30", "dev", "eth0")
    await space.says("ip", "link", "set", "eth0", "up")
    yield World(space, here, there)
    await _run("ip", "link", "del", link)
