"""Terminals over WebSockets: who may open one, what goes through, and how it ends, through the real service, link and agent."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import sqlalchemy as sa
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.api.zun.pace import Pace
from higgins.model.ids import ContainerId, ExecId
from higgins.service.consoles import Consoles
from higgins.service.live import LiveVerbs
from higgins.service.policy import Policy
from higgins.store.tables import consoles
from higgins.testing.programs import Program
from tests.flow.harness import Cloud, cloud, eventually, library, services
from tests.flow.town import Api, Tokens
from tests.patience import PATIENCE

CHANNELS = "v1.channels.higgins"
ZUN = "container 1.40"
PACE = Pace(heartbeat=5.0, stalled=5.0, lull=0.02, farewell=0.5)


@dataclass(kw_only=True)
class Clock:
    """Time that can be put forward."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody with consoles to open."""

    cloud: Cloud
    clock: Clock
    http: aiohttp.ClientSession
    one: Api
    two: Api

    async def attach(self, ref: str, query: str = "", *, version: str = "container 1.41") -> str:
        answer = await self.one("GET", f"/containers/{ref}/attach{query}", version=version)
        assert answer.status == 200, answer
        return str(answer.body)

    async def enter(self, ref: str, *command: str, version: str = "container 1.41", **asked: object) -> tuple[str, str]:
        """The address, and the id of the command."""
        body = {"command": " ".join(command), "run": False, **asked}
        answer = await self.one("POST", f"/containers/{ref}/execute", body, version=version)
        assert answer.status == 200, answer
        assert (answer["output"], answer["exit_code"]) == (None, None)
        return str(answer["proxy_url"]), str(answer["exec_id"])

    @asynccontextmanager
    async def at(self, url: str, *protocols: str, **headers: str) -> AsyncIterator["Terminal"]:
        async with self.http.ws_connect(url, protocols=protocols, headers=headers, max_msg_size=0) as opened:
            yield Terminal(opened)

    async def refused(self, url: str, *protocols: str, **headers: str) -> tuple[int, str]:
        """Status and code of the refusal."""
        with pytest.raises(WSServerHandshakeError) as refusal:
            async with self.at(url, *protocols, **headers):
                pass
        sent = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        sent |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", **headers}
        if protocols:
            sent["Sec-WebSocket-Protocol"] = ",".join(protocols)
        async with self.http.get(url.replace("ws://", "http://"), headers=sent) as answer:
            assert answer.status == refusal.value.status
            return answer.status, (await answer.json())["errors"][0]["code"]

    def program(self, ref: str, exec_id: str) -> Program:
        return self.cloud.runtime.entered[ContainerId(ref), ExecId(exec_id)]

    async def nobody_there(self) -> None:
        """Nothing of any session is left: on the host, at the link, in the store."""
        await eventually(lambda: not self.cloud.runtime.entered)
        async with asyncio.timeout(PATIENCE):
            while await self.cloud.database.read(_rows):
                await asyncio.sleep(0.01)


def _rows(db: sa.Connection) -> int:
    return int(
        db.execute(sa.select(sa.func.count()).select_from(consoles).where(consoles.c.used_at.is_not(None))).scalar_one()
    )


class Terminal:
    """A client's end of a console."""

    def __init__(self, opened: ClientWebSocketResponse) -> None:
        self.socket = opened

    async def type(self, text: bytes) -> None:
        await self.socket.send_bytes(text)

    async def frame(self) -> bytes:
        """The next one."""
        message = await self.socket.receive(PATIENCE)
        assert message.type is WSMsgType.BINARY, message
        assert message.data, "an empty frame is the end for Zun's client"
        return bytes(message.data)

    async def until(self, text: bytes) -> bytes:
        """What comes, up to and with this."""
        got = b""
        while text not in got:
            got += await self.frame()
        return got

    async def rest(self) -> tuple[list[bytes], int | None]:
        """All frames to the end, and the code it was closed with."""
        frames = []
        while (message := await self.socket.receive(PATIENCE)).type is WSMsgType.BINARY:
            frames.append(message.data)
        assert message.type is WSMsgType.CLOSE, message
        return frames, self.socket.close_code


@asynccontextmanager
async def desk_at(tmp_path: Path, pace: Pace = PACE, **custom: Any) -> AsyncIterator[Desk]:
    clock = Clock()
    async with cloud(tmp_path) as running, AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        url = await stack.enter_async_context(door_of(running, Policy(), clock, pace=pace, **custom))
        yield Desk(running, clock, http, *(Api(http, url, token) for token in ("p1", "p2")))


@asynccontextmanager
async def door_of(running: Cloud, policy: Policy, clock: Clock, **custom: Any) -> AsyncIterator[str]:
    """The API in a process of its own, as it were."""
    consoles = Consoles(running.database, clock=clock)
    live = LiveVerbs(running.database, policy, running.calls, consoles, library(running).record)
    app = application(replace(services(running), live=live), Tokens(), policy, **custom)
    async with serving(app, host="127.0.0.1", port=0, grace=5) as at:
        yield at.url


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path) as made:
        yield made


# What goes through


async def test_attach_connects_to_what_the_container_reads_and_prints(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True, tty=True)
    async with desk.at(await desk.attach(ref, version=ZUN), "binary", "base64") as terminal:
        assert terminal.socket.protocol == "binary"
        await terminal.type(b"echo hello\n")
        assert await terminal.until(b"hello\r\nhello\r\n")
        await terminal.type(b"exit 3\n")
        frames, code = await terminal.rest()
    assert (b"".join(frames), code) == (b"exit 3\r\n", 1000)
    await desk.one.until(ref, "Stopped")
    await desk.nobody_there()


async def test_an_interactive_command_has_a_terminal_of_its_own(desk: Desk) -> None:
    ref = await desk.one.run("web", "sleep", "inf")
    url, exec_id = await desk.enter(ref, "sh", interactive=True, version=ZUN)
    query = parse_qs(urlsplit(url).query)
    assert (urlsplit(url).path, query["uuid"], query["exec_id"]) == ("/v1/console", [ref], [exec_id])
    assert not desk.cloud.runtime.entered
    async with desk.at(url, "binary", "base64") as terminal:
        await terminal.type(b"echo hi\n")
        await terminal.until(b"hi\r\nhi\r\n")
        sized = await desk.one("POST", f"/containers/{ref}/execute_resize?exec_id={exec_id}&w=100&h=30", version=ZUN)
        assert (sized.status, sized.body) == (200, None)
        assert desk.program(ref, exec_id).size == (100, 30)
    await desk.nobody_there()


async def test_text_frames_of_browsers_are_bytes_too(desk: Desk) -> None:
    ref = await desk.one.run("web", "cat", interactive=True)
    async with desk.at(await desk.attach(ref)) as terminal:
        assert terminal.socket.protocol is None
        await terminal.socket.send_str("grüß dich\n")
        assert await terminal.frame() == "grüß dich\n".encode()


async def test_channels_carry_both_outputs_sizes_the_end_of_input_and_the_exit_code(desk: Desk) -> None:
    ref = await desk.one.run("web", "sleep", "inf")
    url, exec_id = await desk.enter(ref, "cat", tty=False)
    async with desk.at(url, CHANNELS) as terminal:
        assert terminal.socket.protocol == CHANNELS
        await terminal.type(b"\x00one\n")
        assert await terminal.frame() == b"\x01one\n"
        desk.program(ref, exec_id).say(b"trouble\n", aside=True)
        assert await terminal.frame() == b"\x02trouble\n"
        await terminal.type(b"\xff\x00")
        assert await terminal.rest() == ([b'\x03{"exit_code":0}'], 1000)


async def test_a_size_given_before_the_container_starts_is_its_size_once_it_runs(desk: Desk) -> None:
    made = await desk.one(
        "POST", "/containers", {"image": "busybox", "command": ["sh"], "interactive": True, "tty": True}
    )
    ref = made["uuid"]
    await desk.one.until(ref, "Created")
    async with desk.at(await desk.attach(ref), CHANNELS) as terminal:
        await terminal.type(b'\x04{"width":132,"height":43}')
        await terminal.type(b"\x00echo first words\n")
        assert (await desk.one("POST", f"/containers/{ref}/start")).status == 202
        # Nothing of what it says from its very beginning is lost.
        seen = b""
        while b"first words\r\nfirst words" not in seen:
            seen += (await terminal.frame())[1:]
        program = desk.cloud.runtime._kept[ContainerId(ref)].program
        await eventually(lambda: program.size == (132, 43))
        await terminal.type(b"\x00exit 7\n")
        frames, code = await terminal.rest()
        assert (frames[-1], code) == (b'\x03{"exit_code":7}', 1000)


async def test_whoever_is_let_in_before_the_start_misses_nothing_however_slow_the_host_is(desk: Desk) -> None:
    made = await desk.one("POST", "/containers", {"image": "busybox", "command": ["echo", "hello"]})
    await desk.one.until(made["uuid"], "Created")
    desk.cloud.runtime.slow("attach", 0.5)
    async with desk.at(await desk.attach(made["uuid"]), CHANNELS) as terminal:
        assert (await desk.one("POST", f"/containers/{made['uuid']}/start")).status == 202
        assert await terminal.rest() == ([b"\x01hello\n", b'\x03{"exit_code":0}'], 1000)


async def test_what_has_ended_is_attached_to_before_it_is_started_again(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    desk.cloud.runtime.end(ContainerId(ref))
    await desk.one.until(ref, "Stopped")
    assert (await desk.one("GET", f"/containers/{ref}/attach", version=ZUN)).status == 409
    async with desk.at(await desk.attach(ref), CHANNELS) as terminal:
        await terminal.type(b"\x00echo first words\nexit 4\n")
        assert (await desk.one("POST", f"/containers/{ref}/start")).status == 202
        assert await terminal.rest() == ([b"\x01first words\n", b'\x03{"exit_code":4}'], 1000)


async def test_attach_tells_what_was_printed_before_when_asked(desk: Desk) -> None:
    ref = await desk.one.run("web", "sleep", "inf")
    desk.cloud.runtime.print(ContainerId(ref), b"long ago\n")
    async with desk.at(await desk.attach(ref, "?logs=true"), CHANNELS) as terminal:
        assert await terminal.frame() == b"\x01long ago\n"
        # It is not interactive: what is typed is taken, and nobody reads it.
        await terminal.type(b"\x00anybody?\n")
        desk.cloud.runtime.print(ContainerId(ref), b"now\n")
        assert await terminal.frame() == b"\x01now\n"


async def test_no_frame_divides_a_character_and_a_lone_beginning_does_not_wait_for_ever(desk: Desk) -> None:
    ref = await desk.one.run("web", "sleep", "inf")
    url, exec_id = await desk.enter(ref, "sh", interactive=True, version=ZUN)
    async with desk.at(url, "binary") as terminal:
        await eventually(lambda: bool(desk.cloud.runtime.entered))
        program = desk.program(ref, exec_id)
        program.say(b"caf\xc3")
        assert await terminal.frame() == b"caf"
        # Nothing comes for a while: whatever it is, it has to be shown.
        assert await terminal.frame() == b"\xc3"
        program.say(b"\xff")
        await terminal.until(b"\xff")


async def test_bytes_of_every_kind_pass_both_ways_unharmed(desk: Desk) -> None:
    ref = await desk.one.run("web", "sleep", "inf")
    url, _ = await desk.enter(ref, "cat", tty=False)
    content = bytes(range(256)) * 4096
    async with desk.at(url, CHANNELS) as terminal, asyncio.TaskGroup() as group:

        async def type_it() -> None:
            for start in range(0, len(content), 50_000):
                await terminal.type(b"\x00" + content[start : start + 50_000])
            await terminal.type(b"\xff\x00")

        group.create_task(type_it())
        frames, _ = await terminal.rest()
    assert b"".join(frame[1:] for frame in frames if frame[0] == 1) == content
    assert frames[-1] == b'\x03{"exit_code":0}'


# Who may


async def test_a_token_opens_one_console_once(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    url = await desk.attach(ref)
    async with desk.at(url, "binary"):
        assert await desk.refused(url, "binary") == (403, "container.console-token-refused")
    assert await desk.refused(url, "binary") == (403, "container.console-token-refused")


async def test_of_two_who_come_with_one_token_one_gets_in(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    url = await desk.attach(ref)

    async def come() -> bool:
        try:
            async with desk.at(url):
                await asyncio.sleep(0.2)
        except WSServerHandshakeError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(come()) for _ in range(5)]
    assert sorted(one.result() for one in tries) == [False] * 4 + [True]


async def test_a_token_that_nobody_came_with_in_time_is_void_and_forgotten(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    late, good = await desk.attach(ref), await desk.attach(ref)
    desk.clock.ahead += 59
    async with desk.at(good):
        desk.clock.ahead += 2
        assert await desk.refused(late) == (403, "container.console-token-refused")
        await desk.attach(ref)
        rows = await desk.cloud.database.read(lambda db: db.execute(consoles.select()).all())
        assert len(rows) == 2


async def test_a_token_is_good_only_for_what_it_was_given_for(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    other = await desk.one.run("other", "sh", interactive=True)
    url = await desk.attach(ref)
    entered, exec_id = await desk.enter(ref, "sh")
    for wrong in (
        url.replace(ref, other),
        f"{url}&exec_id={exec_id}",
        entered.replace(exec_id, "0" * 64),
        entered.partition("&exec_id")[0],
        url.replace(parse_qs(urlsplit(url).query)["token"][0], "00000000-0000-4000-8000-000000000000"),
        url.replace(ref, "web"),
    ):
        assert await desk.refused(wrong) == (403, "container.console-token-refused"), wrong
    # Whoever showed it at the wrong door may still go to the right one.
    async with desk.at(url), desk.at(entered):
        pass


async def test_a_token_is_kept_only_as_a_digest_and_never_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ref = await desk.one.run("web", "sh", interactive=True)
    url = await desk.attach(ref)
    token = parse_qs(urlsplit(url).query)["token"][0]
    assert len(token) == 36
    assert token[14] == "4"
    (row,) = await desk.cloud.database.read(lambda db: db.execute(consoles.select()).all())
    assert token not in str(row)
    async with desk.at(url):
        pass
    await desk.refused(url)
    assert token not in caplog.text


async def test_an_answer_with_a_token_is_nothing_to_keep(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    attach = await desk.one("GET", f"/containers/{ref}/attach")
    entered = await desk.one("POST", f"/containers/{ref}/execute?command=sh&run=false")
    assert [one.headers["cache-control"] for one in (attach, entered)] == ["no-store", "no-store"]


async def test_a_token_outlives_neither_its_container_nor_its_run(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    url = await desk.attach(ref)
    await desk.one("POST", f"/containers/{ref}/stop?timeout=0")
    await desk.one.until(ref, "Stopped")
    with pytest.raises(WSServerHandshakeError) as refusal:
        async with desk.at(url):
            pass
    assert refusal.value.status == 409
    late = await desk.one("GET", f"/containers/{ref}/attach", version=ZUN)
    assert late.error == (409, "container.invalid-state-exception")
    await desk.one("POST", f"/containers/{ref}/start")
    await desk.one.until(ref, "Running")
    url = await desk.attach(ref)
    await desk.one("DELETE", f"/containers/{ref}?stop=true")
    await desk.one.until(ref, None)
    assert await desk.refused(url) == (403, "container.console-token-refused")


async def test_the_rights_of_who_asked_are_looked_up_again(desk: Desk, tmp_path: Path) -> None:
    """Another policy file voids what was given out before it."""
    strict = tmp_path / "policy.yaml"
    strict.write_text('"container:attach": "!"\n')
    ref = await desk.one.run("web", "sh", interactive=True)
    url = await desk.attach(ref)
    async with door_of(desk.cloud, Policy(strict), desk.clock) as stricter:
        there = url.replace(desk.one.url.replace("http", "ws"), stricter.replace("http", "ws"))
        with pytest.raises(WSServerHandshakeError) as refusal:
            async with desk.at(there):
                pass
    assert refusal.value.status == 403


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:None",
        "http://127.0.0.1:1",
        "ws://127.0.0.1",
        "http://friend.example.org",
        "http://FRIEND.example.org:8080",
    ],
)
async def test_pages_of_our_own_host_and_of_friends_may_open_consoles(tmp_path: Path, origin: str) -> None:
    async with desk_at(tmp_path, origins=["friend.example.org"]) as desk:
        ref = await desk.one.run("web", "sh", interactive=True)
        async with desk.at(await desk.attach(ref), Origin=origin):
            pass


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example.org",
        "https://127.0.0.1",
        "null",
        "",
        "http://[::1",
        "http://127.0.0.1.evil.example.org",
        "http://friend.example.org.evil.example.org",
        "file://127.0.0.1",
    ],
)
async def test_pages_of_others_may_not_and_do_not_use_up_the_token(tmp_path: Path, origin: str) -> None:
    async with desk_at(tmp_path, origins=["friend.example.org"]) as desk:
        ref = await desk.one.run("web", "sh", interactive=True)
        url = await desk.attach(ref)
        for _ in range(2):
            assert await desk.refused(url, Origin=origin) == (403, "container.origin-not-allowed")
        # What one has tried is not remembered in favour of the next.
        assert await desk.refused(url, Origin="http://evil.example.org", Host="evil.example.org.") != (101, "")
        async with desk.at(url):
            pass


async def test_behind_a_proxy_that_ends_tls_pages_come_over_https(tmp_path: Path) -> None:
    async with desk_at(tmp_path, console_url="wss://cloud.example.org") as desk:
        ref = await desk.one.run("web", "sh", interactive=True)
        url = await desk.attach(ref)
        assert url.startswith("wss://cloud.example.org/v1/console?token=")
        near = url.replace("wss://cloud.example.org", desk.one.url.replace("http", "ws"))
        assert await desk.refused(near, Origin="http://cloud.example.org") == (403, "container.origin-not-allowed")
        async with desk.at(near, Origin="https://cloud.example.org:None"):
            pass
    async with desk_at(tmp_path / "..") as desk:
        ref = await desk.one.run("web", "sh", interactive=True)
        url = await desk.attach(ref)
        assert (await desk.refused(url, Origin="https://127.0.0.1"))[0] == 403
        async with desk.at(url, Origin="https://127.0.0.1", **{"X-Forwarded-Proto": "https"}):
            pass


async def test_another_project_cannot_change_the_size_of_a_terminal(desk: Desk) -> None:
    ref = await desk.one.run("web", "sleep", "inf")
    other = await desk.one.run("other", "sleep", "inf")
    theirs = await desk.two.run("theirs", "sleep", "inf")
    url, exec_id = await desk.enter(ref, "sh")
    async with desk.at(url):
        for api, name in ((desk.one, other), (desk.two, theirs)):
            answer = await api("POST", f"/containers/{name}/execute_resize?exec_id={exec_id}&w=80&h=24")
            assert (answer.status, "no such exec instance" in str(answer.body)) == (400, True)
        unknown = await desk.one("POST", f"/containers/{ref}/execute_resize?exec_id={'0' * 64}&w=80&h=24")
        assert unknown.status == 400
        assert desk.program(ref, exec_id).size is None


async def test_a_size_that_comes_before_the_command_has_begun_waits_for_it(desk: Desk) -> None:
    ref = await desk.one.run("web", "sleep", "inf")
    url, exec_id = await desk.enter(ref, "sh")
    desk.cloud.runtime.slow("enter", 0.5)
    async with desk.at(url):
        answer = await desk.one("POST", f"/containers/{ref}/execute_resize?exec_id={exec_id}&w=80&h=24")
        assert answer.status == 200
        assert desk.program(ref, exec_id).size == (80, 24)


@pytest.mark.parametrize("size", ["w=0&h=24", "w=80", "w=many&h=24", "w=-1&h=24", "w=80&h=70000", "w=&h="])
async def test_a_size_that_no_terminal_has_is_refused(desk: Desk, size: str) -> None:
    ref = await desk.one.run("web", "sh", interactive=True, tty=True)
    assert (await desk.one("POST", f"/containers/{ref}/resize?{size}")).status == 400


async def test_what_has_no_terminal_has_no_size(desk: Desk) -> None:
    """400, which Zun's client takes calmly; it would give up with any other."""
    ref = await desk.one.run("web", "sh", interactive=True)
    assert (await desk.one("POST", f"/containers/{ref}/resize?w=80&h=24")).status == 400


async def test_only_what_is_interactive_is_attached_to_before_our_own_versions(desk: Desk) -> None:
    ref = await desk.one.run("web", "sleep", "inf")
    answer = await desk.one("GET", f"/containers/{ref}/attach", version=ZUN)
    assert answer.error == (400, "container.no-interactive-flag")
    made = await desk.one("POST", "/containers", {"image": "busybox", "interactive": True, "command": ["sh"]})
    await desk.one.until(made["uuid"], "Created")
    early = await desk.one("GET", f"/containers/{made['uuid']}/attach", version=ZUN)
    assert early.error == (409, "container.invalid-state-exception")


@pytest.mark.parametrize("how", ["HEAD", "GET", "POST"])
async def test_what_is_no_websocket_is_told_so_and_uses_up_nothing(desk: Desk, how: str) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    url = await desk.attach(ref)
    async with desk.http.request(how, url.replace("ws://", "http://")) as answer:
        assert answer.status in (400, 401)
    async with desk.at(url):
        pass


async def test_a_client_that_speaks_nothing_of_ours_is_told_so(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    url = await desk.attach(ref)
    assert await desk.refused(url, "base64", "soap") == (400, "container.invalid")
    async with desk.at(url, "soap", "binary") as terminal:
        assert terminal.socket.protocol == "binary"


@pytest.mark.parametrize("offer", ["binary,base64", "binary, base64", "base64,binary"])
async def test_the_offer_of_zuns_clients_is_understood_with_and_without_a_blank(desk: Desk, offer: str) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    target = urlsplit(await desk.attach(ref))
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    writer.write(
        f"GET {target.path}?{target.query} HTTP/1.1\r\nHost: {target.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: {offer}\r\n\r\n".encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 101")
    assert "\r\nsec-websocket-protocol: binary\r\n" in head
    writer.close()


# How it ends


async def test_a_client_that_leaves_leaves_nothing_behind(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    for _ in range(20):
        url, _ = await desk.enter(ref, "sh")
        async with desk.at(url, "binary"), desk.at(await desk.attach(ref), CHANNELS):
            pass
    await desk.nobody_there()


async def test_a_client_that_vanishes_without_a_word_is_found_out(tmp_path: Path) -> None:
    async with desk_at(tmp_path, replace(PACE, heartbeat=0.1)) as desk:
        ref = await desk.one.run("web", "sleep", "inf")
        url, _ = await desk.enter(ref, "sh")
        target = urlsplit(url)
        # It opens the console and then never reads, answers or closes again.
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        writer.write(
            f"GET {target.path}?{target.query} HTTP/1.1\r\nHost: {target.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        await eventually(lambda: bool(desk.cloud.runtime.entered))
        await desk.nobody_there()
        writer.close()


async def test_a_client_that_says_nothing_but_is_there_is_not_gone(tmp_path: Path) -> None:
    async with desk_at(tmp_path, replace(PACE, heartbeat=0.05)) as desk:
        ref = await desk.one.run("web", "sleep", "inf")
        url, exec_id = await desk.enter(ref, "cat", tty=False)
        async with desk.at(url, CHANNELS) as terminal, asyncio.TaskGroup() as group:
            silence = group.create_task(terminal.frame())
            await asyncio.sleep(0.5)
            assert not silence.done()
            await terminal.type(b"\x00still here\n")
            assert await silence == b"\x01still here\n"
            assert desk.program(ref, exec_id).exit_code is None


async def test_a_client_that_stops_reading_is_let_go_and_the_server_does_not_grow(tmp_path: Path) -> None:
    async with desk_at(tmp_path, replace(PACE, stalled=0.5)) as desk:
        ref = await desk.one.run("web", "sleep", "inf")
        url, exec_id = await desk.enter(ref, "flood")
        target = urlsplit(url)
        bare = socket.socket()
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        bare.setblocking(False)
        await asyncio.get_running_loop().sock_connect(bare, (target.hostname, target.port))
        await asyncio.get_running_loop().sock_sendall(
            bare,
            f"GET {target.path}?{target.query} HTTP/1.1\r\nHost: {target.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode(),
        )
        await eventually(lambda: bool(desk.cloud.runtime.entered))
        program = desk.program(ref, exec_id)
        for _ in range(400):
            program.say(b"y" * 65536)
        await desk.nobody_there()
        bare.close()


async def test_the_end_of_a_container_is_the_end_of_its_consoles(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    url, _ = await desk.enter(ref, "sh")
    async with desk.at(await desk.attach(ref), CHANNELS) as attached, desk.at(url, "binary") as entered:
        await eventually(lambda: bool(desk.cloud.runtime.entered))
        desk.cloud.runtime.end(ContainerId(ref), 5)
        assert await attached.rest() == ([b'\x03{"exit_code":5}'], 1000)
        assert (await entered.rest())[1] == 1000
    await desk.nobody_there()


async def test_a_host_that_is_lost_is_told_to_whoever_sits_there(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    url, _ = await desk.enter(ref, "sh")
    async with desk.at(await desk.attach(ref), CHANNELS) as attached, desk.at(url, "binary") as entered:
        await eventually(lambda: bool(desk.cloud.runtime.entered))
        await desk.cloud.agent.kill()
        frames, code = await attached.rest()
        assert code == 1000
        assert json.loads(frames[-1][1:])["error"]["code"] == "unavailable"
        assert (await entered.rest())[1] == 1011
    await desk.nobody_there()


async def test_a_host_that_is_away_is_said_before_anything_is_opened(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    url = await desk.attach(ref)
    await desk.cloud.agent.kill()
    with pytest.raises(WSServerHandshakeError) as refusal:
        async with desk.at(url):
            pass
    assert refusal.value.status == 503


async def test_sessions_are_told_when_the_server_stops(desk: Desk) -> None:
    async with asyncio.TaskGroup() as group:
        ends = []
        async with door_of(desk.cloud, Policy(), desk.clock, pace=PACE) as url:
            api = Api(desk.http, url, "p1")
            ref = await api.run("web", "sh", interactive=True)
            for protocol in ("binary", CHANNELS):
                address = (await api("GET", f"/containers/{ref}/attach")).body
                terminal = Terminal(await desk.http.ws_connect(address, protocols=[protocol]))
                ends.append(group.create_task(terminal.rest()))
    assert [one.result()[1] for one in ends] == [1001, 1001]
    await desk.nobody_there()


async def test_a_frame_that_is_too_long_or_says_nothing_ends_the_session(desk: Desk) -> None:
    ref = await desk.one.run("web", "sh", interactive=True)
    for frame, code in ((b"\x00" + b"x" * (1 << 20), 1009), (b"\x09what", 1008), (b"", 1008)):
        async with desk.at(await desk.attach(ref), CHANNELS) as terminal:
            await terminal.type(frame)
            assert (await terminal.rest())[1] == code
    async with desk.at(await desk.attach(ref), "binary") as terminal:
        await terminal.type(b"")
        await terminal.type(b"echo on\n")
        assert b"on\n" in await terminal.until(b"on\n")
    await desk.nobody_there()


async def test_a_command_that_does_not_exist_says_so_and_ends(desk: Desk) -> None:
    ref = await desk.one.run("web", "sleep", "inf")
    url, _ = await desk.enter(ref, "no-such-command")
    async with desk.at(url, CHANNELS) as terminal:
        frames, _ = await terminal.rest()
    assert b"not found" in frames[0]
    assert json.loads(frames[-1][1:])["exit_code"] != 0
