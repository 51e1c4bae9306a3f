"""The plug of hosts whose networks end at them, on the kernel's real namespaces: it keeps the contract, and what it promises of networks."""

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from higgins.drivers.networks.local import LocalPlug, missing
from higgins.testing.plug_contract import Addresses, End, PlugContract, Start
from tests.contract.spaces import Spaces, spaces

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"networks: {missing()}")


@pytest.fixture
async def room() -> AsyncIterator[Spaces]:
    async with spaces() as made:
        yield made


@pytest.fixture
async def state() -> AsyncIterator[Path]:
    """A folder for drivers. When they are done with it nothing is left: there, in the kernel, or among the processes."""
    folder = Path(tempfile.mkdtemp(prefix="higgins-test-", dir="/run"))
    yield folder
    left = [path.name for path in folder.iterdir()]
    for owner in left:
        plug = LocalPlug(owner, state=folder)
        for port_id in await plug.list():
            await plug.unplug(port_id)
    shutil.rmtree(folder)
    assert not left
    assert folder.name not in said("ip", "-d", "link", "show", "type", "veth")
    assert folder.name not in said("ps", "-eo", "args")
    # Other drivers of this machine may be at work; the rules of the host are for all of them.
    if not any(name.startswith("hgu") for _, name in socket.if_nameindex()):
        assert "hgn-" not in said("ip", "netns")
        assert not re.search("higgins|hgp", said("nft", "list", "tables"))
        assert "hgu" not in said("sh", "-c", "iptables -S DOCKER-USER 2>&1 || true")


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def plug(state: Path) -> LocalPlug:
    # The name of the folder as the owner, by which what is left is found.
    return LocalPlug(state.name, state=state)


class TestLocalPlug(PlugContract):
    @pytest.fixture
    def plug(self, state: Path) -> LocalPlug:
        return LocalPlug(state.name, state=state)

    @pytest.fixture
    def stranger(self, state: Path) -> LocalPlug:
        return LocalPlug(f"{state.name}-stranger", state=state)

    @pytest.fixture
    def start(self, room: Spaces) -> Start:
        async def start() -> int:
            return (await room.start()).pid

        return start

    @pytest.fixture
    def end(self, room: Spaces) -> End:
        return room.end

    @pytest.fixture
    def addresses(self, room: Spaces) -> Addresses:
        async def addresses(pid: int) -> dict[str, tuple[str, ...]]:
            return await room.open[pid][0].addresses()

        return addresses
