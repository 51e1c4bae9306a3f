"""What the connection to a Docker Engine promises."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import aiodocker
import aiohttp
import pytest

from higgins import errors
from higgins.drivers.engine import Engine, demultiplex, lines
from tests.unit.drivers.stub_engine import StubEngine


async def test_a_missing_socket_is_told_with_the_remedy(tmp_path: Path) -> None:
    async with Engine(f"unix://{tmp_path}/none.sock") as engine:
        with pytest.raises(errors.Unavailable, match=r"socket does not exist\. Install or start Docker"):
            await engine.call("GET", "info")


async def test_a_socket_without_a_listener_is_told_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    async with Engine(f"unix://{tmp_path}/dead.sock") as engine:
        with pytest.raises(errors.Unavailable, match=r"No Docker Engine listens .* start it"):
            await engine.call("GET", "info")


async def test_a_forbidden_socket_is_told_with_the_group_to_join(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        # To root nothing is forbidden, so the words are tried on the error itself.
        assert "docker group" in Engine("unix:///x")._remedy(PermissionError(13, "Permission denied"))
        return
    async with StubEngine(tmp_path / "docker.sock").running() as stub:
        (tmp_path / "docker.sock").chmod(0)
        async with Engine(stub.url) as engine:
            with pytest.raises(errors.Unavailable, match="docker group"):
                await engine.call("GET", "info")


async def test_no_tcp_listener_is_unavailable() -> None:
    async with Engine("tcp://127.0.0.1:1") as engine:
        with pytest.raises(errors.Unavailable, match=r"No Docker Engine listens at tcp://127\.0\.0\.1:1"):
            await engine.call("GET", "info")


def test_an_address_of_another_kind_is_invalid() -> None:
    with pytest.raises(errors.Invalid, match=r"unix:///var/run/docker\.sock"):
        Engine("/var/run/docker.sock")


async def test_an_engine_that_is_too_old_is_named_with_the_one_needed(tmp_path: Path) -> None:
    async with StubEngine(tmp_path / "docker.sock", api="1.40").running() as stub, Engine(stub.url) as engine:
        with pytest.raises(errors.Unavailable, match=r"1\.40, and 1\.41 \(Docker 20\.10\) is the oldest"):
            await engine.call("GET", "info")


@pytest.mark.parametrize(
    ("offered", "oldest", "spoken"),
    [("1.41", "1.12", "v1.41"), ("1.43", "1.12", "v1.43"), ("1.51", "1.24", "v1.45"), ("1.60", "1.50", "v1.50")],
)
async def test_the_version_spoken_is_one_that_both_know(tmp_path: Path, offered: str, oldest: str, spoken: str) -> None:
    stub = StubEngine(tmp_path / "docker.sock", api=offered, oldest=oldest).answer("GET", "info", {})
    async with stub.running(), Engine(stub.url) as engine:
        await engine.call("GET", "info")
        await engine.call("GET", "info")
    assert stub.asked == ["GET /version", f"GET /{spoken}/info", f"GET /{spoken}/info"]


async def test_it_recovers_when_the_engine_comes_back_as_another_version(tmp_path: Path) -> None:
    async with Engine(f"unix://{tmp_path}/docker.sock") as engine:
        async with StubEngine(tmp_path / "docker.sock").answer("GET", "info", {}).running():
            await engine.call("GET", "info")
        with pytest.raises(errors.Unavailable):
            await engine.call("GET", "info")
        stub = StubEngine(tmp_path / "docker.sock", api="1.44").answer("GET", "info", {})
        async with stub.running():
            await engine.call("GET", "info")
    assert stub.asked[-1] == "GET /v1.44/info"


async def test_what_is_no_engine_is_unavailable(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "docker.sock").answer("GET", "info", ["not", "an", "engine"])
    async with stub.running(), Engine(stub.url) as engine:
        with pytest.raises(errors.Unavailable, match="does not speak like a Docker Engine"):
            await engine.read("info", dict[str, str])


async def test_an_engine_that_hangs_is_unavailable(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "docker.sock").stream("GET", "info", [b"{"] * 200)
    async with stub.running(), Engine(stub.url, patience=0.1) as engine:
        with pytest.raises(errors.Unavailable, match="does not answer in time"):
            await engine.call("GET", "info")


async def test_a_connection_broken_off_in_the_middle_is_unavailable(tmp_path: Path) -> None:
    stub = StubEngine(tmp_path / "docker.sock").stream("GET", "events", [b'{"a":1}\n', b'{"b"'], breaks=True)
    async with stub.running(), Engine(stub.url) as engine:
        with pytest.raises(errors.Unavailable, match="broke off"):
            async with engine.stream("GET", "events") as response:
                assert [line async for line in lines(response)]


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [
        (400, "bad parameter", errors.Invalid),
        (404, "page not found", errors.NotFound),
        (409, "conflict", errors.Conflict),
        (500, "oops", errors.Unavailable),
        (500, "write /x: no space left on device", errors.Unavailable),
    ],
)
async def test_a_refusal_is_sorted_by_remedy(
    tmp_path: Path, status: int, message: str, remedy: type[errors.Failure]
) -> None:
    stub = StubEngine(tmp_path / "docker.sock").answer("GET", "info", {"DockerRootDir": "/data/docker"})
    async with stub.running(), Engine(stub.url) as engine:
        failure = await engine.explain(aiodocker.DockerError(status, message), "do it")
    assert type(failure) is remedy
    assert ("/data/docker" in failure.message) == ("space" in message)


@pytest.mark.parametrize("cut", [1, 3, 8, 11, 1000])
async def test_frames_are_unpacked_however_they_are_cut(tmp_path: Path, cut: int) -> None:
    frames = frame(1, b"out\xff") + frame(2, b"") + frame(2, b"error\n") + frame(1, b"x" * 50)
    stub = StubEngine(tmp_path / "docker.sock").stream("GET", "logs", cuts(frames, cut))
    async with stub.running(), Engine(stub.url) as engine, engine.stream("GET", "logs") as response:
        assert b"".join([piece async for piece in demultiplex(response)]) == b"out\xfferror\n" + b"x" * 50


async def test_a_complaint_of_the_engine_is_no_output(tmp_path: Path) -> None:
    frames = frame(1, b"out") + frame(3, b"the log is broken")
    stub = StubEngine(tmp_path / "docker.sock").stream("GET", "logs", cuts(frames, 5))
    read = bytearray()

    async def read_on(response: aiohttp.ClientResponse) -> None:
        async for piece in demultiplex(response):
            read.extend(piece)

    async with stub.running(), Engine(stub.url) as engine, engine.stream("GET", "logs") as response:
        with pytest.raises(errors.Unavailable, match="the log is broken"):
            await read_on(response)
    assert read == b"out"


@pytest.mark.parametrize("cut", [1, 7, 1000])
async def test_lines_are_whole_however_they_are_cut(tmp_path: Path, cut: int) -> None:
    stub = StubEngine(tmp_path / "docker.sock").stream("GET", "events", cuts(b'{"a":1}\r\n\n{"b":2}\n{"c":3}', cut))
    async with stub.running(), Engine(stub.url) as engine, engine.stream("GET", "events") as response:
        assert [line.strip() async for line in lines(response)] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4) + payload


def cuts(content: bytes, size: int) -> Sequence[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]
