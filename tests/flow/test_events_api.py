"""The stream of events over HTTP: a container's whole life, resumed wherever it broke off."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.service.policy import Policy
from higgins.store import events
from tests.flow.harness import Cloud, admin, cloud, request, services
from tests.flow.town import Tokens
from tests.patience import PATIENCE

OURS = "container 1.41"


@dataclass(frozen=True, slots=True)
class Message:
    """One block of a stream of server-sent events."""

    id: str | None
    kind: str | None
    data: Any


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who reads events."""

    cloud: Cloud
    http: aiohttp.ClientSession
    url: str

    def get(self, query: str = "", token: str = "p1", version: str = OURS, **headers: str):
        sent = {"X-Auth-Token": token, "OpenStack-API-Version": version, **headers}
        return self.http.get(f"{self.url}/v1/events{query}", headers=sent)

    async def page(self, query: str = "", **rest: Any) -> Any:
        async with self.get(query, **rest) as answer:
            return await answer.json()

    @asynccontextmanager
    async def follow(self, query: str = "", resumed: str | None = None, **rest: Any) -> AsyncIterator["Told"]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": resumed} if resumed else {})
        async with self.get(query, **headers, **rest) as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
            yield Told(answer)


@dataclass(frozen=True, slots=True)
class Told:
    """A stream that is read."""

    answer: aiohttp.ClientResponse

    async def block(self) -> Message:
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            async for line in self.answer.content:
                if line == b"\n":
                    break
                name, _, value = line.decode().removesuffix("\n").partition(": ")
                fields[name] = value
            else:
                raise EOFError
        return Message(fields.get("id"), fields.get("event"), json.loads(fields.get("data", "null")))

    async def event(self) -> Message:
        while (found := await self.block()).data is None:
            pass
        return found

    async def until(self, kind: str, status: str | None = None) -> list[Message]:
        found = [await self.event()]
        while found[-1].kind != kind or (status and found[-1].data["status"] != status):
            found.append(await self.event())
        return found


@pytest.fixture
async def watcher(tmp_path):
    async with cloud(tmp_path) as running:
        app = application(services(running), Tokens(), Policy())
        async with serving(app, host="127.0.0.1", port=0, grace=5.0) as at, aiohttp.ClientSession() as session:
            yield Watcher(running, session, at.url)


async def _lived(there: Cloud) -> str:
    """A container, from its creation to its end."""
    made = await there.run(name="web")
    await there.containers.delete(admin(), request(), made.id, force=True)
    await there.until(made, None)
    return made.id


STORY = ["create", "status", "delete", "gone"]


async def test_a_whole_life_is_told_as_it_happens(watcher):
    async with watcher.follow() as told:
        opening = await told.block()
        assert opening.data is None and opening.id == "0", (
            "a client that loses the line before the first event can resume"
        )
        ref = await _lived(watcher.cloud)
        story = await told.until("gone")
    assert list(dict.fromkeys(one.kind for one in story)) == STORY
    assert {one.data["container_uuid"] for one in story} == {ref}
    assert [one.data["status"] for one in story if one.data["status"] == "Running"] == ["Running"]
    assert [one.data["verb"] for one in story if one.data["verb"]] == ["create", "delete"]
    assert story[0].data["name"] == "web"
    assert [int(one.id) for one in story] == [one.data["id"] for one in story] == sorted({int(one.id) for one in story})


async def test_a_stream_goes_on_after_the_last_event_that_was_seen(watcher):
    await _lived(watcher.cloud)
    async with watcher.follow("?since=0") as told:
        story = await told.until("gone")
    async with watcher.follow("?since=0", resumed=story[1].id) as told:
        assert await told.until("gone") == story[2:]
    page = await watcher.page()
    assert (page["events"], page["next"], page["lost"]) == ([one.data for one in story], None, False)


async def test_pages_lead_from_one_to_the_next(watcher):
    await _lived(watcher.cloud)
    whole = (await watcher.page())["events"]
    found: list[Any] = []
    page: dict[str, Any] = {"next": 0}
    while page["next"] is not None:
        page = await watcher.page(f"?limit=2&since={page['next']}")
        assert len(page["events"]) <= 2
        found += page["events"]
    assert found == whole


async def test_filters_let_through_what_was_asked_for(watcher):
    ref = await _lived(watcher.cloud)
    other = await watcher.cloud.run(name="other")
    assert {one["name"] for one in (await watcher.page("?container=web"))["events"]} == {"web"}
    assert {one["name"] for one in (await watcher.page(f"?container={ref}&container=other"))["events"]} == {
        "web",
        "other",
    }
    assert [one["kind"] for one in (await watcher.page("?kind=gone&kind=create"))["events"]] == [
        "create",
        "gone",
        "create",
    ]
    assert [one["container_uuid"] for one in (await watcher.page("?status=Running"))["events"]] == [ref, other.id]


async def test_nobody_is_told_what_happens_to_others(watcher):
    await _lived(watcher.cloud)
    assert (await watcher.page(token="p2"))["events"] == []
    async with watcher.get("?all_projects=true") as answer:
        assert answer.status == 403
    async with watcher.get("?all_projects=true", Accept="text/event-stream") as answer:
        assert answer.status == 403
    assert len((await watcher.page("?all_projects=true", token="admin"))["events"]) >= len(STORY)


async def test_what_was_forgotten_is_the_first_thing_told(watcher):
    await _lived(watcher.cloud)
    count = (await watcher.page())["events"][-1]["id"]
    await watcher.cloud.database.write(lambda db: events.prune(db, since=0.0, most=1, at_once=100))
    async with watcher.follow(resumed="1") as told:
        first, then = await told.event(), await told.event()
    assert (first.kind, first.id, then.id) == ("lost", None, str(count))
    assert (await watcher.page("?since=1"))["lost"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?kind=born", {}),
        ("?status=Happy", {}),
        ("?since=-1", {}),
        ("?since=yesterday", {}),
        ("?limit=0", {}),
        ("?colour=red", {}),
        ("", {"Accept": "text/event-stream", "Last-Event-ID": "abc"}),
        ("", {"Accept": "text/event-stream", "Last-Event-ID": "9" * 30}),
    ],
)
async def test_what_cannot_be_understood_is_refused_with_its_name(watcher, query, headers):
    async with watcher.get(query, **headers) as answer:
        assert answer.status == 400
        assert answer.content_type == "application/json"


async def test_older_versions_have_no_events(watcher):
    async with watcher.get(version="container 1.40") as answer:
        assert answer.status == 406


async def test_a_server_that_stops_does_not_wait_for_those_who_follow(tmp_path):
    async with cloud(tmp_path) as running, aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
        app = application(services(running), Tokens(), Policy())
        async with serving(app, host="127.0.0.1", port=0, grace=60.0) as at:
            answer = await session.get(
                f"{at.url}/v1/events",
                headers={"X-Auth-Token": "p1", "OpenStack-API-Version": OURS, "Accept": "text/event-stream"},
            )
            await Told(answer).block()
        with pytest.raises((EOFError, aiohttp.ClientError)):
            await Told(answer).event()
