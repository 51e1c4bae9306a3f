"""Images over HTTP, through the real service, its loop and a host with a store of images in memory."""

import asyncio
from typing import Any

import pytest

from higgins import errors
from higgins.model.registry import Login
from tests.flow.harness import HOST, eventually
from tests.flow.town import Reply, Town
from tests.patience import PATIENCE

APP = "reg.example/team/app:1"
LOGIN = Login(domain="reg.example", username="ann", password="open sesame")


@pytest.fixture(autouse=True)
async def joined(town: Town) -> None:
    """The host has joined, and there is something to fetch."""
    town.cloud.images.publish(APP)
    async with asyncio.timeout(PATIENCE):
        while not (town.cloud.calls.connected(HOST) and await town.cloud.hosts.list()):
            await asyncio.sleep(0.01)


async def pulled(town: Town, repo: str = APP, **asked: object) -> Any:
    answer = await town.admin("POST", "/images", {"repo": repo, "host": "here"} | asked)
    assert answer.status == 202, answer
    return answer


async def until(town: Town, uuid: str, state: str) -> Reply:
    found = await town.admin("GET", f"/images/{uuid}")
    try:
        async with asyncio.timeout(PATIENCE):
            while found["state"] != state:
                await asyncio.sleep(0.01)
                found = await town.admin("GET", f"/images/{uuid}")
    except TimeoutError:
        raise AssertionError(f"waited for {state}, found {found}") from None
    return found


async def test_an_image_is_pulled_shown_listed_and_removed(town: Town) -> None:
    answer = await pulled(town)
    uuid = answer["uuid"]
    assert answer.headers["location"].endswith(f"/v1/images/{uuid}")
    assert {key: answer[key] for key in ("repo", "tag", "host", "project_id", "state", "image_id", "size")} == {
        "repo": "reg.example/team/app",
        "tag": "1",
        "host": "here",
        "project_id": "p0",
        "state": "wanted",
        "image_id": None,
        "size": None,
    }
    there = await until(town, uuid, "present")
    assert (there["image_id"], there["size"]) == (town.cloud.images.here(APP), "1000")
    assert there["reason"] is None
    listed = (await town.admin("GET", "/images"))["images"]
    assert [one["uuid"] for one in listed] == [uuid]
    assert listed[0]["links"][0]["href"].endswith(f"/v1/images/{uuid}")
    gone = await town.admin("DELETE", f"/images/{uuid}")
    assert (gone.status, gone.body) == (200, None)
    assert town.cloud.images.here(APP) is None
    assert (await town.admin("GET", f"/images/{uuid}")).error == (400, "container.image-not-found")
    assert (await town.admin("GET", "/images"))["images"] == []


async def test_an_older_version_lacks_what_came_after_it_and_needs_the_host(town: Town) -> None:
    old = await town.admin("POST", "/images", {"repo": APP, "host": HOST}, version="container 1.40")
    assert set(old.body) == {"uuid", "links", "repo", "tag", "image_id", "size", "project_id", "host"}
    refused = await town.admin("POST", "/images", {"repo": "busybox"}, version="container 1.40")
    assert refused.error == (400, "container.schema-validation-error")
    new = await town.admin("POST", "/images", {"repo": "busybox"})
    assert (new.status, new["host"]) == (202, "here")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"repo": "x"},
        {"repo": "NGINX!!"},
        {"repo": "app:-1"},
        {"repo": "sha256:12ab"},
        {"repo": APP, "host": "nowhere"},
        {"repo": APP, "size": "much"},
        {"repo": APP, "colour": "red"},
        {"repo": "a" * 256},
    ],
)
async def test_what_cannot_be_pulled_is_refused(town: Town, asked: dict[str, object]) -> None:
    answer = await town.admin("POST", "/images", {"host": "here"} | asked)
    assert answer.status == 400, answer


async def test_images_are_the_business_of_admins(town: Town) -> None:
    uuid = (await pulled(town))["uuid"]
    for method, path in (
        ("POST", "/images"),
        ("GET", "/images"),
        ("GET", f"/images/{uuid}"),
        ("DELETE", f"/images/{uuid}"),
    ):
        body = {"repo": APP, "host": "here"} if method == "POST" else None
        assert (await town.one(method, path, body)).status == 403
    assert (await town.one("GET", "/images/app/search")).status == 200


async def test_the_same_image_twice_on_one_host_is_a_conflict(town: Town) -> None:
    uuid = (await pulled(town))["uuid"]
    for _ in range(2):
        again = await town.admin("POST", "/images", {"repo": APP, "host": "here"})
        assert again.error == (409, "container.image-already-exists")
        await until(town, uuid, "present")


async def test_a_pull_that_fails_says_why_and_can_be_tried_again(town: Town) -> None:
    uuid = (await pulled(town, "reg.example/late:1"))["uuid"]
    failed = await until(town, uuid, "failed")
    assert "reg.example/late:1 could not be found" in failed["reason"]
    town.cloud.images.publish("reg.example/late:1")
    assert (await pulled(town, "reg.example/late:1"))["uuid"] == uuid
    assert (await until(town, uuid, "present"))["reason"] is None


async def test_what_fails_for_now_is_tried_again_until_it_is_there(town: Town) -> None:
    town.cloud.images.fail("fetch", errors.Unavailable("the registry is away"), times=3)
    uuid = (await pulled(town))["uuid"]
    await until(town, uuid, "present")
    assert town.cloud.images.count("fetch") == 4


async def test_a_digest_is_pulled_as_that_digest(town: Town) -> None:
    await until(town, (await pulled(town))["uuid"], "present")
    digest = town.cloud.images.here(APP)
    image = await pulled(town, f"reg.example/team/app@{digest}")
    assert (image["repo"], image["tag"]) == ("reg.example/team/app", digest)
    await until(town, image["uuid"], "failed")  # The registry in memory knows tags alone.
    assert town.cloud.images.seen[-1].subject == f"reg.example/team/app@{digest}"


async def test_how_far_a_pull_is_can_be_seen(town: Town) -> None:
    town.cloud.images.slow("fetch", 0.6)
    uuid = (await pulled(town))["uuid"]
    async with asyncio.timeout(PATIENCE):
        # How many layers there are is not known before the registry was asked.
        while not (progress := (await town.admin("GET", f"/images/{uuid}"))["progress"] or {}).get("layers"):
            await asyncio.sleep(0.01)
    assert progress == {"layers": 2, "layers_done": 0, "size": 1000, "done": 0}
    assert (await until(town, uuid, "present"))["progress"] is None


@pytest.mark.parametrize("dies", ["control", "agent"])
async def test_a_pull_survives_the_death_of(town: Town, dies: str) -> None:
    town.cloud.images.slow("fetch", 0.3)
    uuid = (await pulled(town))["uuid"]
    await eventually(lambda: town.cloud.images.count("fetch") == 1)
    await getattr(town.cloud, dies).restart()
    await until(town, uuid, "present")


async def test_a_pull_that_is_deleted_in_the_middle_stops(town: Town) -> None:
    town.cloud.images.slow("fetch", 0.5)
    uuid = (await pulled(town))["uuid"]
    await eventually(lambda: town.cloud.images.count("fetch") == 1)
    assert (await town.admin("DELETE", f"/images/{uuid}")).status == 200
    await asyncio.sleep(0.7)
    assert town.cloud.images.here(APP) is None
    assert town.cloud.images.count("fetch") == 1


async def test_what_a_container_is_made_of_is_not_removed(town: Town) -> None:
    image = await pulled(town)
    await until(town, image["uuid"], "present")
    container = await town.one("POST", "/containers", {"image": APP, "name": "uses"})
    await town.one.until(container["uuid"], "Created")
    assert (await town.admin("DELETE", f"/images/{image['uuid']}")).error == (409, "container.conflict")
    assert (await until(town, image["uuid"], "present")).status == 200
    await town.one("DELETE", "/containers/uses")
    await town.one.until("uses", None)
    assert (await town.admin("DELETE", f"/images/{image['uuid']}")).status == 200


async def test_of_several_names_that_goes_which_nobodys_container_was_made_by(town: Town) -> None:
    image = await pulled(town)
    await until(town, image["uuid"], "present")
    town.cloud.images.name(APP, "reg.example/team/theirs:1")
    container = await town.one("POST", "/containers", {"image": "reg.example/team/theirs:1", "name": "uses"})
    await town.one.until(container["uuid"], "Created")
    assert (await town.admin("DELETE", f"/images/{image['uuid']}")).status == 200
    assert town.cloud.images.here(APP) is None
    # What it needs to be made again is here.
    assert (await town.one("POST", "/containers/uses/rebuild")).status == 202
    await eventually(lambda: town.cloud.runtime.count("create") == 2)
    await town.one.until("uses", "Created")


async def test_a_pull_can_be_given_up_though_a_container_is_made_of_what_was_there_before(town: Town) -> None:
    container = await town.one("POST", "/containers", {"image": APP, "name": "uses"})
    await town.one.until(container["uuid"], "Created")
    town.cloud.images.fail("fetch", errors.Unavailable("the registry is away"), times=1000)
    image = await pulled(town)
    assert (await town.admin("DELETE", f"/images/{image['uuid']}")).status == 200
    assert (await town.admin("GET", "/images"))["images"] == []
    assert town.cloud.images.here(APP) is not None


async def test_what_lies_on_a_host_that_is_gone_is_forgotten(town: Town) -> None:
    image = await pulled(town)
    await until(town, image["uuid"], "present")
    await town.cloud.agent.kill()
    refused = await town.admin("DELETE", f"/images/{image['uuid']}")
    assert refused.status == 503
    await town.admin("PUT", "/services/force_down?host=here&binary=zun-compute&forced_down=true")
    assert (await town.admin("DELETE", f"/images/{image['uuid']}")).status == 200
    assert (await town.admin("GET", "/images"))["images"] == []


async def test_a_private_image_is_pulled_with_what_the_project_has_stored_for_its_registry(town: Town) -> None:
    secret = "reg.example/team/secret:1"
    town.cloud.images.keep_for(LOGIN, secret)
    first = (await pulled(town, secret))["uuid"]
    await until(town, first, "failed")
    asked = {"domain": "reg.example", "username": "ann", "password": "open sesame"}
    await town.admin("POST", "/registries", {"registry": asked})
    await pulled(town, secret)
    await until(town, first, "present")
    # It was the admins' project that logged in, and nobody else has.
    thief = await town.one("POST", "/containers", {"image": secret, "name": "thief"})
    async with asyncio.timeout(PATIENCE):
        while (shown := await town.one("GET", f"/containers/{thief['uuid']}"))["status"] != "Error":
            await asyncio.sleep(0.01)
    assert "could not be found" in shown["status_reason"]


async def test_an_image_made_of_a_container_is_listed_in_its_project(town: Town) -> None:
    made = await town.admin(
        "POST", "/containers?run=true", {"image": "busybox", "name": "web", "command": ["sleep", "9"]}
    )
    await town.admin.until(made["uuid"], "Running")
    answer = await town.admin("POST", "/containers/web/commit", {"repository": "own", "tag": "7"})
    assert answer.status == 202, answer
    shown = await town.admin("GET", f"/images/{answer['uuid']}")
    assert (shown["repo"], shown["tag"], shown["state"], shown["project_id"]) == ("own", "7", "present", "p0")
    again = await town.admin("POST", "/containers/web/commit", {"repository": "own", "tag": "7"})
    assert again["uuid"] == answer["uuid"]


async def test_a_list_is_paged_in_any_order(town: Town) -> None:
    for number in range(3):
        town.cloud.images.publish(f"reg.example/n{number}:1")
        await pulled(town, f"reg.example/n{number}:1")
    page = await town.admin("GET", "/images?limit=2&sort_key=repo&sort_dir=desc&colour=ignored")
    assert [one["repo"][-2:] for one in page["images"]] == ["n2", "n1"]
    page = await town.admin("GET", page["next"])
    assert [one["repo"][-2:] for one in page["images"]] == ["n0"]
    assert page["next"] is None
    assert (await town.admin("GET", "/images?sort_key=lease_owner")).error == (400, "container.invalid-parameter-value")
    assert (await town.admin("GET", "/images?marker=x")).error == (404, "container.image-not-found")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("team/search", ["team/app"]),
        ("team%2Fapp/search?exact_match=True", ["team/app"]),
        ("team/app/search?image_driver=docker&exact_match=False", ["team/app"]),
        ("reg.example/team/app/search", ["team/app"]),
        ("//team//app/search", ["team/app"]),
        ("tea/search?exact_match=true", []),
        ("search/search", []),
    ],
)
async def test_a_registry_is_searched_also_for_names_with_slashes(town: Town, path: str, found: list[str]) -> None:
    answer = await town.one("GET", f"/images/{path}")
    assert answer.status == 200, answer
    assert [one["name"] for one in answer.body] == found
    assert all(set(one) == {"name", "description", "tags", "metadata"} for one in answer.body)
    assert all(set(one["metadata"]) == {"is_official", "star_count"} for one in answer.body)


@pytest.mark.parametrize(
    "path",
    ["UPPER/search", "a/search?colour=red", "a/search?exact_match=1", "a/search?image_driver=glance", "x:y:z/search"],
)
async def test_a_search_that_means_nothing_is_refused(town: Town, path: str) -> None:
    assert (await town.one("GET", f"/images/{path}")).status == 400


async def test_a_search_without_a_host_is_unavailable(town: Town) -> None:
    await town.cloud.agent.kill()
    assert (await town.one("GET", "/images/app/search")).status == 503
