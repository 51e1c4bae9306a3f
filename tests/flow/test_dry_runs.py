"""A dry run over HTTP, with several hosts: it says what a create would come to, in the same words, and leaves no trace."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from higgins import errors
from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.logic import placement
from higgins.logic.placement import Ratios
from higgins.model.capsule import Resources
from higgins.model.host import Host
from higgins.model.ids import HostId
from higgins.model.quota import Limits
from higgins.service.containers import Containers
from higgins.service.creation import Customs
from higgins.service.policy import Policy
from higgins.service.registries import Sources
from higgins.store import hosts
from higgins.store.database import Connection
from higgins.testing.builders import host, inventory
from tests.flow.harness import alone, caller, cloud, container, request, services
from tests.flow.town import Api, Reply, Tokens, Town
from tests.patience import PATIENCE

SECRET = "vault"
"""Stands in the name of every host."""
ROOMY = Resources(cpu=4.0, memory=4096, disk=100)
WEB = {"image": "busybox", "name": "web"}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """Three hosts on which nothing is made: two near, one of them nearly full, and one elsewhere, which has another runtime."""
    async with cloud(
        tmp_path, hosted=False, patience=0.0, unique_names="project", limits=Limits(memory=51200)
    ) as running:
        near = [
            host(name=f"{SECRET}-{number}", inventory=inventory(capacity=ROOMY, capabilities=("sandboxes",)))
            for number in (1, 2)
        ]
        far = host(
            name=f"{SECRET}-3",
            availability_zone="mars",
            inventory=inventory(handlers=("runc", "kata"), capacity=Resources(cpu=4.0, memory=512, disk=100)),
        )
        for each in (*near, far):
            await running.database.write(lambda db, each=each: join(db, each))  # type: ignore[misc]
        await running.database.write(lambda db: book(db, near[1], Resources(memory=5120)))
        app = application(services(running), Tokens(), Policy(), defaults=Resources(cpu=0.5, memory=64))
        async with serving(app, host="127.0.0.1", port=0, grace=0.1) as at, aiohttp.ClientSession() as session:
            yield Town(running, *(Api(session, at.url, token) for token in ("p1", "p2", "admin")))


def join(db: Connection, one: Host) -> None:
    """It is here, and will not be taken for silent."""
    assert one.inventory is not None
    hosts.register(db, one)
    hosts.connected(
        db,
        one.id,
        name=one.name,
        availability_zone=one.availability_zone,
        inventory=one.inventory,
        now=time.time() + 3600,
    )


def book(db: Connection, one: Host, claim: Resources) -> None:
    assert hosts.book(db, one.id, claim, placement.room(one, Ratios()))


async def dry(api: Api, body: Mapping[str, Any], *, kind: str = "containers") -> Reply:
    """What is foretold; whoever is asking, never where."""
    answer = await api("POST", f"/{kind}?dry_run=true", body)
    assert SECRET not in json.dumps(answer.body)
    return answer


async def foretold(api: Api, **asked: object) -> Reply:
    answer = await dry(api, WEB | asked)
    assert answer.status == 200, answer
    return answer


def template(*containers: Mapping[str, Any], **spec: object) -> dict[str, Any]:
    return {"template": {"kind": "capsule", "metadata": {"name": "web"}, "spec": {"containers": [*containers], **spec}}}


def one(memory: int) -> dict[str, Any]:
    return {"image": "busybox", "resources": {"requests": {"memory": memory}}}


async def rows(town: Town) -> list[str]:
    """All that is in the database."""
    return await town.cloud.database.read(lambda db: [*db.connection.driver_connection.iterdump()])  # type: ignore[union-attr]


async def test_what_fits_is_told_with_what_it_would_ask_for(town: Town) -> None:
    answer = await foretold(town.one)
    assert answer.body == {
        "fits": True,
        "claim": {"cpu": 0.5, "memory": 64, "disk": 0},
        "runtime": None,
        "availability_zone": None,
        "hosts": None,
        "fitting": None,
        "refused": [],
        "temporary": False,
        "reason": None,
        "change": None,
    }
    assert "location" not in answer.headers


async def test_how_many_hosts_would_take_what_fits_is_told_to_those_who_may_list_hosts(town: Town) -> None:
    answer = await foretold(town.admin, memory=1024, runtime="runc")
    assert (answer["fits"], answer["hosts"], answer["fitting"], answer["runtime"]) == (True, 3, 2, "runc")
    # 1.5 times as much as there is may be booked: the second near one has 1,024 MiB left.
    assert answer["refused"] == [{"rule": "memory", "hosts": 1, "reason": "without enough memory"}]


async def test_what_does_not_fit_is_told_with_what_is_in_the_way_and_the_smallest_change(town: Town) -> None:
    answer = await foretold(town.one, memory=7000)
    assert (answer["fits"], answer["hosts"], answer["fitting"], answer["temporary"]) == (False, 3, 0, False)
    assert answer["refused"] == [{"rule": "memory", "hosts": 3, "reason": "without enough memory"}]
    assert answer["change"] == {"field": "memory", "from": 7000, "to": 6144}
    assert (await foretold(town.one, memory=6144))["fits"]
    assert not (await foretold(town.one, memory=6145))["fits"]


async def test_every_rule_has_its_change(town: Town) -> None:
    zone = {"availability_zone": 2, "memory": 1}
    for asked, rules, change in (
        ({"availability_zone": "venus"}, {"availability_zone": 3}, ("availability_zone", "venus", None)),
        ({"availability_zone": "mars", "memory": 1000}, zone, ("memory", 1000, 768)),
        ({"availability_zone": "mars", "memory": 4000}, zone, ("availability_zone", "mars", None)),
        ({"runtime": "kata", "memory": 1024}, {"runtime": 2, "memory": 1}, ("memory", 1024, 768)),
        ({"runtime": "gvisor"}, {"runtime": 3}, ("runtime", "gvisor", None)),
        ({"disk": 150, "memory": 7000}, {"memory": 3}, None),
        ({"disk": 150}, {"disk": 3}, ("disk", 150, 100)),
        ({"host": f"{SECRET}-2", "memory": 2048}, {"host": 2, "memory": 1}, ("memory", 2048, 1024)),
    ):
        answer = await town.admin("POST", "/containers?dry_run=true", WEB | asked)
        assert {each["rule"]: each["hosts"] for each in answer["refused"]} == rules, asked
        assert answer["change"] == (change and dict(zip(("field", "from", "to"), change, strict=True))), asked


async def test_the_reason_is_the_one_that_a_create_would_end_with(town: Town) -> None:
    asked = {"memory": 7000, "availability_zone": "nova"}
    reason = (await foretold(town.one, **asked))["reason"]
    assert reason == "There are not enough hosts available: 1 in other availability zones, 2 without enough memory."
    made = await town.one("POST", "/containers", WEB | asked)
    async with asyncio.timeout(PATIENCE):
        while (shown := await town.one("GET", f"/containers/{made['uuid']}"))["status"] != "Error":
            await asyncio.sleep(0.01)
    assert shown["status_reason"] == reason


async def test_a_host_that_is_only_away_may_be_waited_for(town: Town) -> None:
    def away(db: Connection) -> None:
        for each in hosts.every(db):
            hosts.write_forced_down(db, HostId(each.id), forced=True)

    await town.cloud.database.write(away)
    answer = await foretold(town.one, memory=7000)
    assert (answer["fits"], answer["temporary"], answer["change"]) == (False, True, None)
    assert answer["refused"] == [{"rule": "connected", "hosts": 3, "reason": "not connected"}]


async def test_what_a_create_refuses_a_dry_run_refuses_in_the_same_words(town: Town) -> None:
    assert (await town.one("POST", "/containers", WEB | {"name": "taken"})).status == 202
    for api, status, body in (
        (town.one, 400, {}),
        (town.one, 400, WEB | {"cpu": -1}),
        (town.one, 400, WEB | {"memory": 8193}),
        (town.one, 400, WEB | {"no_such": 1}),
        (town.one, 400, WEB | {"command": "not a list"}),
        (town.one, 400, WEB | {"restart_policy": {"Name": "always", "MaximumRetryCount": 3}}),
        (town.one, 400, {"image": "!"}),
        (town.one, 403, WEB | {"host": f"{SECRET}-1"}),
        (town.one, 403, WEB | {"runtime": "runc"}),
        (town.one, 403, WEB | {"privileged": True}),
        (town.one, 403, WEB | {"image_pull_policy": "always"}),
        (town.one, 404, WEB | {"registry": "nobodys"}),
        (town.one, 409, WEB | {"name": "taken"}),
        (town.admin, 404, WEB | {"host": "nowhere"}),
        (town.admin, 403, WEB | {"privileged": True}),
    ):
        refused, really = [await api("POST", f"/containers{dry}", body) for dry in ("?dry_run=true", "")]
        assert refused.status == really.status == status, (body, refused)
        assert refused.body == really.body


async def test_an_image_from_where_none_may_come_is_refused_in_a_dry_run_as_well(town: Town) -> None:
    customs = Customs(sources=Sources(allowed=["registry.example"]))
    containers = Containers(town.cloud.database, Policy(), town.cloud.hints, customs)
    for allowed, image in ((True, "registry.example/shop"), (False, "elsewhere.example/shop")):
        spec = alone(container(image=image))
        if allowed:
            assert (await containers.foretell(caller(), spec)).refusal is None
            continue
        with pytest.raises(errors.Forbidden) as refused:
            await containers.foretell(caller(), spec)
        with pytest.raises(errors.Forbidden) as really:
            await containers.create(caller(), request(), spec)
        assert refused.value.message == really.value.message


async def test_what_the_quota_refuses_is_told_with_its_numbers_and_counts_for_nothing(town: Town) -> None:
    assert (await town.one("POST", "/containers", {"image": "busybox"})).status == 202
    for limits, asked, told in (
        ({"memory": 100}, {"memory": 128}, "memory: 128 more were asked for, 64 of 100 are in use"),
        ({"memory": -1, "containers": 1}, {}, "containers: 1 more were asked for, 1 of 1 are in use"),
        ({"containers": -1, "cpu": 1}, {"cpu": 0.6}, "cpu: 0.6 more were asked for, 0.5 of 1 are in use"),
    ):
        assert (await town.admin("PUT", "/quotas/p1", limits)).status == 200
        for _ in range(2):
            refused = await dry(town.one, WEB | asked)
            assert refused.error == (403, "container.over-quota")
            assert told in refused["errors"][0]["detail"]
        assert refused.body == (await town.one("POST", "/containers", WEB | asked)).body
        assert (await dry(town.two, WEB | asked)).status == 200


async def test_as_much_as_the_quota_leaves_may_be_foretold_again_and_again(town: Town) -> None:
    await town.admin("PUT", "/quotas/p1", {"containers": 1, "memory": 64})
    assert [(await dry(town.one, WEB)).status for _ in range(3)] == [200] * 3
    assert (await town.one("POST", "/containers", WEB)).status == 202


async def test_nothing_is_written_and_no_key_is_used_up(town: Town) -> None:
    await town.cloud.control.kill()
    before = await rows(town)
    headers = {"X-Auth-Token": "p1", "OpenStack-API-Version": "container 1.41", "Idempotency-Key": "k"}

    async def post(path: str, body: object) -> tuple[int, Any, str | None]:
        async with town.one.session.post(f"{town.one.url}/v1{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers.get("Idempotency-Replayed")

    for path, body, status in (
        ("/containers?dry_run=true", WEB, 200),
        ("/containers?dry_run=true&run=true", WEB | {"memory": 7000}, 200),
        ("/containers", WEB | {"dry_run": True}, 200),
        ("/containers?dry_run=false", WEB | {"dry_run": True}, 200),
        ("/containers?dry_run=true", WEB | {"cpu": -1}, 400),
        ("/capsules?dry_run=true", template(one(64)), 200),
        ("/capsules", template(one(64)) | {"dry_run": "yes"}, 200),
    ):
        assert (await post(path, body))[::2] == (status, None), (path, body)
    assert await rows(town) == before
    # The same key for the thing itself, and then it is used.
    made = await post("/containers", WEB)
    assert made[::2] == (202, None)
    assert await post("/containers", WEB) == (202, made[1], "true")
    assert await rows(town) != before


async def test_a_dry_run_that_is_not_one_is_kept_like_any_create(town: Town) -> None:
    headers = {"X-Auth-Token": "p1", "OpenStack-API-Version": "container 1.41", "Idempotency-Key": "k"}
    for word in ("false", "perhaps"):
        headers["Idempotency-Key"] = word
        told = []
        for _ in range(2):
            url = f"{town.one.url}/v1/containers?dry_run={word}"
            async with town.one.session.post(url, json={"image": "busybox"}, headers=headers) as answer:
                told.append((answer.status, answer.headers.get("Idempotency-Replayed")))
        status = 202 if word == "false" else 400
        assert told == [(status, None), (status, "true")]


@pytest.mark.parametrize("kind", ["containers", "capsules"])
async def test_below_1_41_nobody_has_heard_of_it(town: Town, kind: str) -> None:
    body = WEB if kind == "containers" else template(one(64))
    before = len((await town.one("GET", f"/{kind}"))[kind])
    for path, asked in ((f"/{kind}?dry_run=true", body), (f"/{kind}", body | {"dry_run": True})):
        refused = await town.one("POST", path, asked, version="container 1.40")
        assert refused.error == (400, "container.schema-validation-error")
        assert "'dry_run' was unexpected" in refused["errors"][0]["detail"]
        assert "1.41" in refused["errors"][0]["detail"]
    assert len((await town.one("GET", f"/{kind}"))[kind]) == before


async def test_a_capsule_is_foretold_as_one(town: Town) -> None:
    fitting = await dry(town.one, template(one(3000), one(3000)), kind="capsules")
    assert (fitting.status, fitting["fits"], fitting["claim"]["memory"]) == (200, True, 6000)
    together = await dry(town.one, template(one(4000), one(3000), initContainers=[one(6500)]), kind="capsules")
    assert together["change"] == {"field": "memory", "from": 7000, "to": 6144}
    assert (await town.one("GET", "/capsules"))["capsules"] == []


async def test_what_a_capsules_create_refuses_its_dry_run_refuses_in_the_same_words(town: Town) -> None:
    await town.admin("PUT", "/quotas/p1", {"containers": 1})
    for body in (
        {},
        {"template": "- no"},
        template({"image": "busybox", "imagePullPolicy": "always"}),
        template({"no": "image"}),
        template(one(64), one(64)),
    ):
        refused, really = [await town.one("POST", f"/capsules{dry}", body) for dry in ("?dry_run=true", "")]
        assert refused.status == really.status >= 400, refused
        assert refused.body == really.body
