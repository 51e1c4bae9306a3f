"""Names that tenants give, looked up."""

import asyncio
import socket
from threading import Event

import pytest

from higgins.drivers.names import Names
from tests.patience import PATIENCE


async def test_a_name_has_an_address():
    found = await Names().resolve("localhost", 5000, socket.AF_INET)
    assert (found[0]["hostname"], found[0]["host"], found[0]["port"]) == ("localhost", "127.0.0.1", 5000)


async def test_a_name_server_that_does_not_answer_holds_up_nobody_else():
    answers = Event()

    def hang(*_: object) -> list[object]:
        answers.wait(10)
        return []

    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(Names(hang).resolve(f"{number}.example"))
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(PATIENCE):
                assert await asyncio.to_thread(lambda: "ours") == "ours"
        finally:
            answers.set()


async def test_a_name_that_there_is_not_is_an_os_error():
    def refuse(*_: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(OSError, match="not known"):
        await Names(refuse).resolve("none.invalid")
