"""A request with an Idempotency-Key can be sent as often as one likes, whatever became of the first: it happens once."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest

from higgins import errors
from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.logic.statusword import Status
from higgins.model.ids import RequestId, made_by
from higgins.model.repeat import Begun, Repeatable
from higgins.service.policy import Policy
from higgins.service.repeats import Repeats, Turn
from higgins.store import repeats as stored
from tests.flow.harness import Cloud, admin, caller, cloud, services
from tests.flow.town import Reply, Tokens

OURS = "container 1.41"
WEB = {"image": "busybox", "name": "web", "command": ["sleep", "inf"]}


@dataclass(slots=True)
class Town:
    """A service, its clock, and somebody who calls it."""

    cloud: Cloud
    http: aiohttp.ClientSession
    url: str
    ahead: float = 0.0
    """Seconds that have passed without anybody waiting for them."""

    async def post(
        self, path: str, body: object = None, *, key: str | None = "k", token: str = "p1", version: str = OURS
    ) -> Reply:
        headers = {"X-Auth-Token": token, "OpenStack-API-Version": version}
        if key is not None:
            headers["Idempotency-Key"] = key
        async with self.http.post(f"{self.url}/v1{path}", headers=headers, json=body) as answer:
            content = await answer.json() if answer.content_type == "application/json" else None
            return Reply(answer.status, content, {name.lower(): value for name, value in answer.headers.items()})

    async def count(self) -> int:
        async with self.http.get(f"{self.url}/v1/containers", headers={"X-Auth-Token": "p1"}) as answer:
            return len((await answer.json())["containers"])


@asynccontextmanager
async def _town(directory: Any, clock: Callable[[], float]):
    async with cloud(directory) as running:
        offered = replace(services(running), repeats=Repeats(running.database, clock=clock))
        app = application(offered, Tokens(), Policy())
        async with serving(app, host="127.0.0.1", port=0, grace=5.0) as at, aiohttp.ClientSession() as session:
            yield Town(running, session, at.url)


@pytest.fixture
async def town(tmp_path):
    now = asyncio.get_running_loop().time
    place: list[Town] = []
    async with _town(tmp_path, lambda: now() + (place[0].ahead if place else 0.0)) as there:
        place.append(there)
        yield there


async def test_the_second_answer_is_the_first_one_again(town):
    first = await town.post("/containers?run=true", WEB)
    second = await town.post("/containers?run=true", WEB)
    assert (first.status, second.status) == (202, 202)
    assert second.body == first.body
    assert second.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    for name in ("location", "x-openstack-request-id", "openstack-api-version", "content-type"):
        assert second.headers[name] == first.headers[name]
    assert await town.count() == 1


async def test_a_refusal_is_repeated_as_well(town):
    refused = await town.post("/containers", {"image": "busybox", "cpu": -1})
    again = await town.post("/containers", {"image": "busybox", "cpu": -1})
    assert (refused.status, again.status, again.body) == (400, 400, refused.body)
    assert again.headers["idempotency-replayed"] == "true"


async def test_twenty_of_the_same_at_once_make_one_container(town):
    async def until_answered():
        while (reply := await town.post("/containers", WEB)).status == 409:
            assert reply.error == (409, "container.idempotency-key-in-use")
            assert int(reply.headers["retry-after"]) >= 1
            await asyncio.sleep(0.01)
        return reply

    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(until_answered()) for _ in range(20)]
    assert {one.result().status for one in asked} == {202}
    assert len({one.result()["uuid"] for one in asked}) == 1
    assert await town.count() == 1


async def test_a_key_is_good_for_one_request_only(town):
    made = await town.post("/containers", WEB)
    for path, body, version in (
        ("/containers", WEB | {"name": "other"}, OURS),
        ("/containers?run=true", WEB, OURS),
        (f"/containers/{made['uuid']}/start", None, OURS),
    ):
        refused = await town.post(path, body, version=version)
        assert refused.error == (409, "container.idempotency-key-reused")
    assert await town.count() == 1


async def test_everybody_has_keys_of_their_own(town):
    one = await town.post("/containers", WEB)
    two = await town.post("/containers", WEB, token="p2")
    assert two.status == 202 and two["uuid"] != one["uuid"]
    assert "idempotency-replayed" not in two.headers


async def test_without_a_key_and_before_version_1_41_every_request_counts(town):
    for _ in range(2):
        assert (await town.post("/containers", WEB, key=None)).status == 202
        assert (await town.post("/containers", WEB, version="container 1.40")).status == 202
    assert await town.count() == 4


@pytest.mark.parametrize("key", ["", "x" * 256, "schön"])
async def test_a_key_that_cannot_be_one_is_refused(town, key):
    assert (await town.post("/containers", WEB, key=key)).status == 400
    assert await town.count() == 0


async def test_after_a_day_a_key_is_new(town):
    await town.post("/containers", WEB)
    town.ahead = 86_401.0
    await town.post("/containers", WEB)
    assert await town.count() == 2


async def test_the_answer_outlives_the_container(town):
    made = await town.post("/containers", WEB)
    await town.cloud.containers.delete(admin(), RequestId("req-d"), made["uuid"], force=True)
    while await town.count():
        await asyncio.sleep(0.01)
    assert (await town.post("/containers", WEB))["uuid"] == made["uuid"]
    assert await town.count() == 0


# What follows is what a server leaves behind that dies between the effect and the stored answer.


async def _begin_and_die(town: Town, path: str, body: Any) -> RequestId:
    """All that a request does but the last: nobody stored its answer, and its turn is never given back."""
    asked: list[tuple[Repeatable, RequestId]] = []

    class Dying(Repeats):
        @asynccontextmanager
        async def turn(self, repeatable: Repeatable, request_id: RequestId):
            now = asyncio.get_running_loop().time()
            asked.append((repeatable, request_id))
            begun = await town.cloud.database.write(
                lambda db: stored.begin(db, repeatable, request_id, now=now, until=now + 30.0, forgotten=0.0)
            )
            assert isinstance(begun, Begun)
            yield Turn(begun)

    dying = replace(services(town.cloud), repeats=Dying(town.cloud.database))
    async with serving(application(dying, Tokens(), Policy()), host="127.0.0.1", port=0, grace=5.0) as at:
        reply = await Town(town.cloud, town.http, at.url).post(path, body)
        assert reply.status == 202, reply
    return asked[0][1]


async def test_what_a_dead_server_made_is_found_and_not_made_again(town):
    request = await _begin_and_die(town, "/containers?run=true", WEB)
    assert (await town.post("/containers?run=true", WEB)).error == (409, "container.idempotency-key-in-use")
    town.ahead = 31.0
    reply = await town.post("/containers?run=true", WEB)
    assert (reply.status, reply["uuid"]) == (202, made_by(request))
    assert reply.headers["x-openstack-request-id"] == request
    assert "idempotency-replayed" not in reply.headers, "this is the first answer that anybody got"
    assert await town.count() == 1
    assert (await town.post("/containers?run=true", WEB)).headers["idempotency-replayed"] == "true"


async def test_what_a_dead_server_made_and_was_deleted_since_is_not_made_again(town):
    request = await _begin_and_die(town, "/containers", WEB)
    await town.cloud.containers.delete(admin(), RequestId("req-d"), made_by(request), force=True)
    while await town.count():
        await asyncio.sleep(0.01)
    town.ahead = 31.0
    assert (await town.post("/containers", WEB)).status == 409
    assert await town.count() == 0


async def test_what_a_dead_server_asked_of_a_container_is_not_asked_again(town):
    made = await town.cloud.run(name="web")
    before = made.spec.restarts
    await _begin_and_die(town, f"/containers/{made.id}/reboot?timeout=0", None)
    await town.cloud.until(made, Status.RUNNING)
    town.ahead = 31.0
    assert (await town.post(f"/containers/{made.id}/reboot?timeout=0")).status == 202
    after = await town.cloud.show(made)
    assert after is not None and after.spec.restarts == before + 1
    verbs = [one.verb for one in await town.cloud.containers.actions(caller(), made.id)]
    assert verbs == ["reboot", "create"]


async def test_a_request_that_found_nobody_at_fault_is_another_go_at_once(town):
    """The host is not there: nothing final was said."""
    made = await town.cloud.run(name="web")
    await town.cloud.agent.kill()
    path = f"/containers/{made.id}/execute?command=true"
    first = await town.post(path)
    assert first.status == 503, first
    second = await town.post(path)
    assert second.status == 503 and "idempotency-replayed" not in second.headers


async def test_what_takes_long_keeps_its_turn(tmp_path):
    async with cloud(tmp_path) as running:
        service = Repeats(running.database, hold=0.3)
        asked = Repeatable(project_id=caller().project_id, user_id=caller().user_id, key="k", fingerprint="f")
        async with service.turn(asked, RequestId("req-1")) as turn:
            assert isinstance(turn, Turn)
            await asyncio.sleep(0.8)
            with pytest.raises(errors.Conflict):
                async with service.turn(asked, RequestId("req-2")):
                    pass
        async with service.turn(asked, RequestId("req-3")) as turn:
            assert isinstance(turn, Turn) and turn.begun == Begun(request_id=RequestId("req-1"), again=True)


async def test_old_answers_are_forgotten(town):
    for number in range(3):
        await town.post("/containers", WEB, key=f"k{number}")
    later = asyncio.get_running_loop().time() + 1.0

    def forget(db):
        return [stored.prune(db, before=later, most=100, at_once=2) for _ in range(3)]

    assert await town.cloud.database.write(forget) == [2, 1, 0]
