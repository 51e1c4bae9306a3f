"""Live calls from the verbs over the real link to a host's runtime and back, beside the loops that look after the same containers."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from higgins import errors
from higgins.logic import statusword
from higgins.logic.statusword import Status
from higgins.model.live import Ended, Piece, Reply
from higgins.protocols.live import Exchange
from tests.flow.harness import Cloud, caller, cloud, eventually, request
from tests.patience import PATIENCE

ME = caller()


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with cloud(tmp_path) as made:
        yield made


async def heard(exchange: Exchange[Reply]) -> bytes:
    return b"".join([piece.content async for piece in exchange])


async def test_somebody_attached_talks_to_the_container_and_hears_its_end(there: Cloud):
    made = await there.run("cat", interactive=True)
    async with there.live.seated(await there.live.attach(ME, made.id)) as seat:
        pieces = aiter(seat.exchange)
        await seat.exchange.send(b"hello\n")
        assert await anext(pieces) == Piece(b"hello\n")
        await seat.exchange.end()
        assert [piece async for piece in pieces] == []
        assert seat.exchange.reply == Ended(exit_code=0)
    await there.until(made, Status.STOPPED)


async def test_whoever_leaves_lets_the_container_run_on_and_may_come_again(there: Cloud):
    made = await there.run("cat", interactive=True)
    for word in (b"one", b"two"):
        async with there.live.seated(await there.live.attach(ME, made.id)) as seat:
            await seat.exchange.send(word)
            assert await anext(aiter(seat.exchange)) == Piece(word)
    found = await there.show(made)
    assert found is not None and statusword.describe(found).status is Status.RUNNING


async def test_what_dies_while_somebody_is_attached_tells_how(there: Cloud):
    made = await there.run()
    async with there.live.seated(await there.live.attach(ME, made.id, early=True)) as seat:
        await eventually(lambda: there.runtime.count("attach") == 1)
        there.runtime.end(made.spec.containers[0].id, 137)
        assert await heard(seat.exchange) == b""
        assert seat.exchange.reply == Ended(exit_code=137)


async def test_a_command_is_entered_sized_and_left(there: Cloud):
    made = await there.run()
    inside = made.spec.containers[0].id
    ticket = await there.live.enter(ME, made.id, ["cat"], terminal=True)
    async with there.live.seated(ticket) as seat:
        await seat.resize(100, 40)
        assert there.runtime.size(inside, ticket.exec_id) == (100, 40)
        await seat.exchange.send(b"a")
        assert (await anext(aiter(seat.exchange))).content.startswith(b"a")
    await eventually(lambda: there.runtime.entered == {})


async def test_many_are_inside_at_once(there: Cloud):
    made = await there.run()

    async def say(number: int) -> bytes:
        async with there.live.seated(await there.live.enter(ME, made.id, ["cat"], terminal=False)) as seat:
            await seat.exchange.send(b"%d" % number)
            await seat.exchange.end()
            return await heard(seat.exchange)

    async with asyncio.TaskGroup() as group:
        said = [group.create_task(say(number)) for number in range(50)]
    assert [one.result() for one in said] == [b"%d" % number for number in range(50)]


async def test_files_go_in_and_come_out_as_they_were(there: Cloud):
    made = await there.run()
    content = bytes(range(256)) * 1000
    await there.live.put_archive(ME, made.id, "/", _parts(_tar("every-byte", content)))
    async with there.live.get_archive(ME, made.id, "/every-byte") as (stat, pieces):
        assert (stat.name, stat.size) == ("every-byte", len(content))
        archive = b"".join([piece async for piece in pieces])
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        file = opened.extractfile("every-byte")
        assert file is not None and file.read() == content
    with pytest.raises(errors.NotFound):
        async with there.live.get_archive(ME, made.id, "/nothing"):
            pass


async def test_logs_are_followed_until_the_container_ends(there: Cloud):
    made = await there.run()
    inside = made.spec.containers[0].id
    there.runtime.print(inside, b"before\n")
    async with there.live.logs(ME, made.id, follow=True) as pieces:
        assert await anext(pieces) == b"before\n"
        there.runtime.print(inside, b"after\n")
        assert await anext(pieces) == b"after\n"
        there.runtime.end(inside)
        assert [piece async for piece in pieces] == []


async def test_an_image_is_made_and_the_container_is_shown_as_running_meanwhile(there: Cloud):
    made = await there.run()
    inside = made.spec.containers[0].id
    there.runtime.slow("commit", 0.3)
    async with asyncio.TaskGroup() as group:
        making = group.create_task(there.live.commit(ME, request(), made.id, repository="mine"))
        await eventually(lambda: there.runtime.count("commit") == 1)
        await there.runtime.pause(inside)
        await asyncio.sleep(0.1)
        found = await there.show(made)
        assert found is not None and statusword.describe(found).status is Status.RUNNING
        assert there.runtime.count("unpause") == 0
        await there.runtime.unpause(inside)
        assert (await making).repo == "mine"
    assert there.runtime.count("pause") == 1


async def test_everybody_is_told_when_the_host_goes_away(there: Cloud):
    made = await there.run("cat", interactive=True)
    async with there.live.seated(await there.live.attach(ME, made.id)) as seat:
        await there.agent.kill()
        with pytest.raises(errors.Unavailable, match="try again"):
            await heard(seat.exchange)
    with pytest.raises(errors.Unavailable, match="not connected"):
        await there.live.top(ME, made.id)
    there.agent.start()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                assert (await there.live.top(ME, made.id)).titles
            except errors.Unavailable:
                await asyncio.sleep(0.05)
            else:
                break


def _tar(name: str, content: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as packed:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        packed.addfile(member, io.BytesIO(content))
    return archive.getvalue()


async def _parts(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 10_000):
        yield content[start : start + 10_000]
