"""What waits to be sent on a live stream: in order, the short joined, the rest bounded."""

import asyncio

from higgins.link import live
from higgins.link.frames import FRAME, Frames
from higgins.link.live import Kind

SOON = 0.05


async def drain(frames: Frames) -> list[tuple[Kind, bytes]]:
    taken = []
    while (frame := await frames.take()) is not None:
        taken.append((frame[0], b"".join(frame[1])))
    return taken


async def test_what_waits_of_one_kind_goes_together_and_the_order_stays():
    frames = Frames()
    for kind, content in ((Kind.PIECE, b"a"), (Kind.PIECE, b"b"), (Kind.ASIDE, b"c"), (Kind.PIECE, b"d")):
        await frames.put(kind, content)
    frames.add(Kind.FINISHED, b"{}")
    frames.close()
    assert await drain(frames) == [(Kind.PIECE, b"ab"), (Kind.ASIDE, b"c"), (Kind.PIECE, b"d"), (Kind.FINISHED, b"{}")]


async def test_a_document_is_neither_joined_nor_cut():
    frames = Frames()
    for document in (b"one", b"two"):
        await frames.put_whole(Kind.PIECE, document)
    await frames.put(Kind.PIECE, b"three")
    await frames.put_whole(Kind.PIECE, b"four")
    frames.close()
    assert [content for _, content in await drain(frames)] == [b"one", b"two", b"three", b"four"]


async def test_what_is_large_is_cut_and_whoever_puts_it_waits():
    frames = Frames()
    content = bytes(range(256)) * (3 * FRAME // 256) + b"rest"

    async def put() -> None:
        await frames.put(Kind.PIECE, content)
        frames.close()

    async with asyncio.TaskGroup() as group:
        putting = group.create_task(put())
        await asyncio.sleep(SOON)
        assert not putting.done()
        taken = await drain(frames)
    assert max(len(frame) for _, frame in taken) == FRAME
    assert b"".join(frame for _, frame in taken) == content


async def test_documents_of_which_nobody_takes_any_stop_whoever_puts_them():
    frames, put = Frames(), 0
    try:
        async with asyncio.timeout(SOON):
            while True:
                await frames.put_whole(Kind.PIECE, b"x")
                put += 1
    except TimeoutError:
        assert 0 < put < 10_000


async def test_no_more_is_on_the_way_than_the_window():
    frames = Frames(window=2 * FRAME)
    taken = 0

    async def take() -> None:
        nonlocal taken
        while (frame := await frames.take()) is not None:
            taken += sum(map(len, frame[1]))

    async with asyncio.TaskGroup() as group:
        group.create_task(take())
        putting = group.create_task(frames.put(Kind.PIECE, b"x" * 10 * FRAME))
        await asyncio.sleep(SOON)
        assert taken == 2 * FRAME
        frames.confirm(FRAME)
        await asyncio.sleep(SOON)
        assert taken == 3 * FRAME
        frames.drop()
        await putting


async def test_what_comes_first_passes_what_waits():
    frames = Frames()
    await frames.put(Kind.PIECE, b"a")
    frames.add(Kind.TAKEN, b"5", first=True)
    frames.close()
    assert await drain(frames) == [(Kind.TAKEN, b"5"), (Kind.PIECE, b"a")]


async def test_nothing_is_put_once_it_is_closed():
    frames = Frames()
    frames.close()
    await frames.put(Kind.PIECE, b"a")
    await frames.put_whole(Kind.PIECE, b"b")
    frames.add(Kind.END)
    assert await frames.take() is None


def test_a_message_that_only_a_newer_peer_knows_is_of_no_kind():
    assert live.kind(b"\xffnews") is None
    assert live.kind(b"") is None
    assert live.kind(live.pack(Kind.PIECE, b"a", memoryview(b"bc"))) is Kind.PIECE
