"""A server is there while its block runs, says what is wrong when it cannot be, and leaves nothing behind."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web

from higgins import errors
from higgins.api.server import serving


def app(*, seconds: float = 0.0) -> web.Application:
    async def hello(_: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response(text="hello")

    made = web.Application()
    made.router.add_get("/", hello)
    return made


async def read(url: str, **how) -> str:
    async with aiohttp.ClientSession(**how) as client, client.get(url) as answer:
        return await answer.text()


async def test_it_serves_over_tcp_and_over_a_unix_socket(tmp_path):
    path = tmp_path / "api.sock"
    async with serving(app(), host="127.0.0.1", port=0, socket_path=path) as listening:
        assert await read(listening.url) == "hello"
        assert await read("http://here/", connector=aiohttp.UnixConnector(str(path))) == "hello"
        assert path.stat().st_mode & 0o777 == 0o660
    assert not path.exists()
    with pytest.raises(aiohttp.ClientError):
        await read(listening.url)


async def test_an_address_in_use_is_named_with_what_to_do():
    async with serving(app(), host="127.0.0.1", port=0) as listening:
        with pytest.raises(errors.Unavailable, match=rf"127.0.0.1:{listening.port} is in use\. Stop"):
            async with serving(app(), host="127.0.0.1", port=listening.port):
                pass
        assert await read(listening.url) == "hello"


async def test_an_address_of_another_machine_is_refused():
    with pytest.raises(errors.Invalid, match=r"192\.0\.2\.1:0"):
        async with serving(app(), host="192.0.2.1", port=0):
            pass


async def test_the_socket_of_a_living_server_is_left_alone(tmp_path):
    path = tmp_path / "api.sock"
    async with serving(app(), host="127.0.0.1", port=0, socket_path=path):
        with pytest.raises(errors.Unavailable, match="another server listens there"):
            async with serving(app(), host="127.0.0.1", port=0, socket_path=path):
                pass
        assert await read("http://here/", connector=aiohttp.UnixConnector(str(path))) == "hello"


async def test_the_socket_of_a_killed_server_is_replaced(tmp_path):
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    async with serving(app(), host="127.0.0.1", port=0, socket_path=path):
        assert await read("http://here/", connector=aiohttp.UnixConnector(str(path))) == "hello"


async def test_a_file_is_never_mistaken_for_a_socket(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(errors.Invalid, match="is no socket"):
        async with serving(app(), host="127.0.0.1", port=0, socket_path=path):
            pass
    assert path.read_text() == "data"


async def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(errors.Invalid, match="nowhere"):
        async with serving(app(), host="127.0.0.1", port=0, socket_path=tmp_path / "nowhere" / "api.sock"):
            pass


async def test_a_request_under_way_is_answered_before_the_end():
    async with asyncio.TaskGroup() as group:
        async with serving(app(seconds=0.3), host="127.0.0.1", port=0) as listening:
            answer = group.create_task(read(listening.url))
            await asyncio.sleep(0.1)
    assert answer.result() == "hello"


@pytest.mark.parametrize(
    "said",
    [
        b"GET /" + b"%C2%8D" * 20000 + b" HTTP/1.1\r\nHost: here\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\nContent-Length: some\r\n\r\n",
    ],
)
async def test_what_is_no_http_or_too_long_is_refused_and_nothing_for_the_log(said, caplog):
    async with serving(app(), host="127.0.0.1", port=0) as listening:
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(said)
        assert (await reader.readline()).startswith(b"HTTP/1.0 400 ")
        writer.close()
        assert await read(listening.url) == "hello"
    assert [record for record in caplog.records if record.exc_info] == []


async def test_the_longest_path_inside_a_container_fits_into_a_query():
    async with serving(app(), host="127.0.0.1", port=0) as listening:
        assert await read(f"{listening.url}/?path={'𝔭' * 4096}") == "hello"
