"""What hosts answer, over HTTP: signals, figures, processes, files both ways, images made of containers, logs that go on."""

import asyncio
import base64
import io
import json
import re
import tarfile
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from yarl import URL

from higgins import errors
from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.logic.statusword import Status
from higgins.model.ids import ContainerId
from higgins.service.consoles import Consoles
from higgins.service.live import LiveVerbs
from higgins.service.policy import Policy
from higgins.service.turnstile import Turnstile
from higgins.testing.runtime import Behaviour
from tests.flow.harness import caller, eventually, library, services
from tests.flow.town import Api, Tokens, Town
from tests.patience import PATIENCE

ZUN = "container 1.40"
OLD = "container 1.24"
TAR = "application/x-tar"


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def files(packed: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isreg()}  # type: ignore[union-attr]


def headers(api: Api, version: str = "container 1.41", **more: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {"X-Auth-Token": api.token, "OpenStack-API-Version": version, **named}


# Signals


async def test_sigkill_is_a_change_of_state_and_every_other_signal_a_live_call(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf", restart_policy={"Name": "always"})
    assert (await town.one("POST", f"/containers/{ref}/kill?signal=hup")).status == 202
    assert town.cloud.runtime.signals == [(ref, "SIGHUP")]
    # The container ended by itself after a signal of ours: its restart policy has the next word.
    town.cloud.runtime.end(ContainerId(ref), 129)
    await eventually(lambda: town.cloud.runtime.starts[ContainerId(ref)] == 2)
    await town.one.until(ref, "Running")
    assert (await town.one("POST", f"/containers/{ref}/kill")).status == 202
    await town.one.until(ref, "Stopped")
    actions = (await town.one("GET", f"/containers/{ref}/container_actions"))["containerActions"]
    assert [(one["action"], one["message"]) for one in actions] == [("kill", None), ("kill", None), ("create", None)]


async def test_a_signal_that_the_host_does_not_know_failed_and_says_so(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    refused = await town.one("POST", f"/containers/{ref}/kill?signal=SIGPWR")
    assert refused.status == 400
    actions = (await town.one("GET", f"/containers/{ref}/container_actions"))["containerActions"]
    assert (actions[0]["action"], actions[0]["message"]) == ("kill", "Error")


# Figures


async def test_the_share_of_cpu_is_a_rate_between_two_readings(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf", memory=64)
    shown = await town.one("GET", f"/containers/{ref}/stats", version=ZUN)
    assert set(shown.body) == {
        "CONTAINER",
        "CPU %",
        "MEM USAGE(MiB)",
        "MEM LIMIT(MiB)",
        "MEM %",
        "BLOCK I/O(B)",
        "NET I/O(B)",
    }
    assert shown["CONTAINER"] == "web"
    # The runtime counts a quarter of a second of CPU for every reading, and the two were a second apart.
    assert 15 < shown["CPU %"] < 26
    assert (shown["MEM USAGE(MiB)"], shown["MEM LIMIT(MiB)"], shown["MEM %"]) == (1, 64, 1.56)
    assert (shown["BLOCK I/O(B)"], shown["NET I/O(B)"]) == ("8192/16384", "200/400")


async def test_our_own_versions_tell_the_figures_behind_it(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    shown = await town.one("GET", f"/containers/{ref}/stats")
    assert (shown["cpu_seconds"], shown["cores"], shown["pids"], shown["memory_bytes"]) == (0.5, 4, 1, 1 << 20)
    assert (shown["block_read_bytes"], shown["block_written_bytes"]) == (8192, 16384)
    assert (shown["received_bytes"], shown["sent_bytes"]) == (200, 400)
    assert shown["read_at"][4] == "-"


async def test_processes_are_a_table_and_arguments_are_those_of_ps(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    for query in ("", "?ps_args=None", "?ps_args=", "?ps_args=-ef"):
        shown = await town.one("GET", f"/containers/{ref}/top{query}", version=ZUN)
        assert shown.body == {"Titles": ["PID", "CMD"], "Processes": [["1", "sleep inf"]]}
    assert (await town.one("GET", f"/containers/{ref}/top?ps_args=;rm")).status == 400
    assert (await town.one("GET", f"/containers/{ref}/top?what=1")).status == 400


# Logs


async def test_whoever_follows_a_log_that_says_nothing_and_leaves_makes_room_for_others(town: Town) -> None:
    there = town.cloud
    live = LiveVerbs(
        there.database,
        Policy(),
        there.calls,
        Consoles(there.database),
        library(there).record,
        turnstile=Turnstile(1),
    )
    app = application(replace(services(there), live=live), Tokens(), Policy())
    async with serving(app, host="127.0.0.1", port=0, grace=0.1) as at:
        one = Api(town.one.session, at.url, "p1")
        ref = await one.run("web", "sleep", "inf")
        run = f"/containers/{ref}/execute?command=true"
        async with one.session.get(f"{at.url}/v1/containers/{ref}/logs?follow=true", headers=headers(one)) as answer:
            assert answer.status == 200
            assert (await one("POST", run)).error == (409, "container.too-many-live-calls")
        async with asyncio.timeout(PATIENCE):
            while (await one("POST", run)).status != 200:
                await asyncio.sleep(0.1)


async def test_whoever_leaves_before_the_answer_begins_is_no_trouble(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    _, writer = await asyncio.open_connection("127.0.0.1", URL(town.one.url).port)
    asked = "".join(f"{name}: {value}\r\n" for name, value in headers(town.one, Host="here").items())
    writer.write(f"GET /v1/containers/{ref}/logs?follow=true HTTP/1.1\r\n{asked}\r\n".encode())
    await eventually(lambda: town.cloud.runtime.count("logs") == 1)
    writer.close()
    await asyncio.sleep(1.5)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_nobody_waits_for_a_container_on_behalf_of_somebody_who_has_left(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    left = []

    def gone() -> bool:
        left.append(True)
        return len(left) > 1

    async with asyncio.timeout(PATIENCE):
        await town.cloud.containers.wait(caller(), ref, [Status.STOPPED], 3600, gone=gone)


# Files


async def test_an_archive_goes_in_and_comes_out_in_base64(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    content = archive(a=b"one", b=bytes(range(256)) * 100)
    put = await town.one(
        "POST", f"/containers/{ref}/put_archive?path=/tmp", {"data": base64.b64encode(content).decode()}, version=ZUN
    )
    assert (put.status, put.body) == (200, None)
    got = await town.one("GET", f"/containers/{ref}/get_archive?path=/tmp", version=ZUN)
    assert files(base64.b64decode(got["data"], validate=True)) == {"tmp/a": b"one", "tmp/b": bytes(range(256)) * 100}
    assert set(got["stat"]) == {"name", "size", "mode", "mtime", "linkTarget"}
    assert (got["stat"]["name"], got["stat"]["mode"] >> 31) == ("tmp", 1)


async def test_old_versions_have_archives_as_text_where_they_are_text(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    put = await town.one(
        "POST", f"/containers/{ref}/put_archive", {"path": "/tmp", "data": archive(a=b"one").decode()}, version=OLD
    )
    assert put.status == 200
    got = await town.one("GET", f"/containers/{ref}/get_archive?path=/tmp/a", version=OLD)
    assert files(got["data"].encode()) == {"a": b"one"}
    data = base64.b64encode(archive(b=b"\xff\xfe")).decode()
    await town.one("POST", f"/containers/{ref}/put_archive?path=/tmp", {"data": data}, version=ZUN)
    refused = await town.one("GET", f"/containers/{ref}/get_archive?path=/tmp/b", version=OLD)
    assert (refused.status, "UTF-8" in str(refused.body)) == (400, True)


async def test_an_archive_itself_goes_both_ways_however_large(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    content = archive(big=b"x" * 3_000_000)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 70_000):
            yield content[start : start + 70_000]

    url = f"{town.one.url}/v1/containers/{ref}"
    sent = headers(town.one, Content_Type=TAR)
    async with town.one.session.post(f"{url}/put_archive?path=/tmp", data=pieces(), headers=sent) as answer:
        assert (answer.status, await answer.json()) == (200, None)
    wanted = headers(town.one, Accept=TAR)
    async with town.one.session.get(f"{url}/get_archive?path=/tmp/big", headers=wanted) as answer:
        assert (answer.status, answer.content_type) == (200, TAR)
        stat = json.loads(base64.b64decode(answer.headers["X-Container-Path-Stat"]))
        assert (stat["name"], stat["size"], stat["linkTarget"]) == ("big", 3_000_000, "")
        assert files(await answer.read()) == {"big": b"x" * 3_000_000}
    # Below 1.41 the same words mean what they always did.
    async with town.one.session.get(
        f"{url}/get_archive?path=/tmp/big", headers=headers(town.one, ZUN, Accept=TAR)
    ) as answer:
        assert answer.content_type == "application/json"


@pytest.mark.parametrize("path", ["/no/such/place", "no/such", "/etc/passwd/x"])
async def test_what_is_not_there_is_not_found(town: Town, path: str) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    data = base64.b64encode(archive(a=b"")).decode()
    assert (await town.one("GET", f"/containers/{ref}/get_archive?path={path}")).status == 404
    assert (await town.one("POST", f"/containers/{ref}/put_archive?path={path}", {"data": data})).status == 404


@pytest.mark.parametrize(
    ("verb", "query", "body", "code"),
    [
        ("GET", "get_archive", None, "schema-validation-error"),
        ("GET", "get_archive?path=", None, "schema-validation-error"),
        ("GET", f"get_archive?path=/{'x' * 4096}", None, "schema-validation-error"),
        ("POST", "put_archive?path=/tmp", None, "schema-validation-error"),
        ("POST", "put_archive?path=/tmp", {"data": None}, "schema-validation-error"),
        ("POST", "put_archive?path=/tmp", {"data": 7}, "schema-validation-error"),
        ("POST", "put_archive?path=/tmp", {"data": "no base64!"}, "base-64-exception"),
        ("POST", "put_archive?path=/tmp", {"data": ""}, "invalid"),
        ("POST", "put_archive?path=/tmp", {"data": base64.b64encode(b"no tar" * 200).decode()}, "invalid"),
        ("POST", "put_archive", {"data": ""}, "schema-validation-error"),
    ],
)
async def test_an_archive_that_cannot_be_is_refused_with_a_reason(
    town: Town, verb: str, query: str, body: object, code: str
) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    assert (await town.one(verb, f"/containers/{ref}/{query}", body)).error == (400, f"container.{code}")


async def test_an_archive_inside_json_that_is_too_large_is_refused_as_such(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    body = {"data": "A" * (44 << 20)}
    refused = await town.one("POST", f"/containers/{ref}/put_archive?path=/tmp", body)
    assert refused.error == (413, "container.")


async def test_an_archive_that_breaks_off_leaves_the_server_well(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")

    async def pieces() -> AsyncIterator[bytes]:
        yield archive(a=b"x" * 100_000)[:50_000]
        raise ConnectionError("the client goes away")

    url = f"{town.one.url}/v1/containers/{ref}/put_archive?path=/tmp"
    with pytest.raises((ConnectionError, aiohttp.ClientError)):
        async with town.one.session.post(url, data=pieces(), headers=headers(town.one, Content_Type=TAR)):
            pass
    assert (await town.one("GET", f"/containers/{ref}/get_archive?path=/tmp/a")).status == 404


# Images made of containers


async def test_a_commit_answers_with_the_image_and_is_an_action(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    done = await town.one("POST", f"/containers/{ref}/commit?repository=mine", version=ZUN)
    assert (done.status, set(done.body)) == (202, {"uuid"})
    (image,) = (await town.admin("GET", "/images", version=ZUN))["images"] or [None]
    assert image is None or image["uuid"] == done["uuid"]
    actions = (await town.one("GET", f"/containers/{ref}/container_actions"))["containerActions"]
    assert (actions[0]["action"], actions[0]["message"]) == ("commit", None)
    assert actions[0]["request_id"] == done.headers["x-openstack-request-id"]
    assert town.cloud.runtime.count("commit") == 1


async def test_a_commit_goes_on_when_its_caller_has_left(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    town.cloud.runtime.slow("commit", 0.5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await town.one("POST", f"/containers/{ref}/commit?repository=mine&tag=v1")
    async with asyncio.timeout(PATIENCE):
        while True:
            actions = (await town.one("GET", f"/containers/{ref}/container_actions"))["containerActions"]
            if actions[0]["action"] == "commit":
                break
            await asyncio.sleep(0.05)
    assert actions[0]["message"] is None


async def test_a_commit_that_fails_says_so_and_leaves_no_image(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    town.cloud.runtime.fail("commit", errors.Conflict("There is no room."))
    assert (await town.one("POST", f"/containers/{ref}/commit?repository=mine")).status == 409
    actions = (await town.one("GET", f"/containers/{ref}/container_actions"))["containerActions"]
    assert (actions[0]["action"], actions[0]["message"]) == ("commit", "Error")


@pytest.mark.parametrize(
    "query", ["", "?repository=", "?repository=mine&tag=", "?repository=mine&what=1", "?repository=UPPER%20CASE"]
)
async def test_an_image_that_cannot_be_called_so_is_refused(town: Town, query: str) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    assert (await town.one("POST", f"/containers/{ref}/commit{query}")).status == 400


# Logs and commands


async def test_followed_logs_come_as_they_are_printed_and_end_with_the_container(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    town.cloud.runtime.print(ContainerId(ref), b"before\n")
    url = f"{town.one.url}/v1/containers/{ref}/logs?follow=true"
    async with town.one.session.get(url, headers=headers(town.one)) as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        assert await answer.content.readline() == b"before\n"
        town.cloud.runtime.print(ContainerId(ref), b"caf\xc3\xa9 \xff\n")
        assert await answer.content.readline() == b"caf\xc3\xa9 \xff\n"
        town.cloud.runtime.end(ContainerId(ref), 0)
        assert await answer.content.read() == b""


async def test_followed_logs_of_a_silent_container_begin_at_once(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    url = f"{town.one.url}/v1/containers/{ref}/logs?follow=true"
    async with asyncio.timeout(PATIENCE), town.one.session.get(url, headers=headers(town.one)) as answer:
        assert answer.status == 200
    absent = await town.one("GET", "/containers/nobody/logs?follow=true")
    assert absent.status == 404


async def test_following_began_with_our_own_versions(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    refused = await town.one("GET", f"/containers/{ref}/logs?follow=true", version=ZUN)
    assert refused.error == (400, "container.schema-validation-error")


async def test_output_without_end_is_refused_and_not_kept(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    town.cloud.runtime.behave(["flood"], Behaviour(exit_code=0, stdout=b"y\n" * (9 << 20)))
    refused = await town.one("POST", f"/containers/{ref}/execute?command=flood")
    assert (refused.status, "16 MiB" in str(refused.body)) == (409, True)


async def test_what_is_detached_is_answered_at_once_and_goes_on(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    execute = f"/containers/{ref}/execute"
    begun = await town.one("POST", execute, {"command": "tail -f 'a b'", "detach": True, "stdin": True, "tty": True})
    assert (begun["output"], begun["exit_code"], begun["proxy_url"]) == (None, None, None)
    assert re.fullmatch("[0-9a-f]{64}", begun["exec_id"])
    assert [row[-1] for row in (await town.one("GET", f"/containers/{ref}/top"))["Processes"]] == [
        "sleep inf",
        "tail -f a b",
    ]
    # It is for nobody to sit at, or to ask for before there was a word for it.
    for asked, version in (({"detach": True, "run": False}, "container 1.41"), ({"detach": True}, ZUN)):
        refused = await town.one("POST", execute, {"command": "true", **asked}, version=version)
        assert refused.status == 400 and "detach" in str(refused.body), refused
    missing = await town.one("POST", execute, {"command": "no-such-command", "detach": True})
    assert missing.status == 400 and "no-such-command" in str(missing.body)
    assert (await town.two("POST", execute, {"command": "true", "detach": True})).status == 404


async def test_a_command_says_what_it_printed_and_how_it_ended(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    town.cloud.runtime.behave(["sh", "-c", "x"], Behaviour(exit_code=3, stdout=b"out\n", stderr=b"err\n"))
    done = await town.one(
        "POST", f"/containers/{ref}/execute", {"command": '"sh" "-c" "x"', "run": "true"}, version=ZUN
    )
    assert done.body == {"output": "out\nerr\n", "exit_code": 3, "exec_id": None, "proxy_url": None}
    assert (await town.one("POST", f"/containers/{ref}/execute", {})).status == 400
    assert (await town.one("POST", f"/containers/{ref}/execute_resize", {})).status == 400
