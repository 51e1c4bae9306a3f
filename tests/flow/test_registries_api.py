"""Registries over HTTP, through the real service and a host with a runtime in memory."""

import asyncio
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from higgins.model.registry import Login
from tests.flow.town import Api, Reply, Town
from tests.patience import PATIENCE

PASSWORD = "open sesame"
LOGIN = Login(domain="reg.example", username="ann", password=PASSWORD)
SECRET = "reg.example/secret:1"


async def stored(api: Api, **said: object) -> Any:
    """One that a project has just stored."""
    asked = {"domain": "reg.example", "username": "ann", "password": PASSWORD, "name": "mine"} | said
    answer = await api("POST", "/registries", {"registry": asked})
    assert answer.status == 201, answer
    return answer["registry"]


async def names(api: Api, query: str = "") -> list[str]:
    answer = await api("GET", f"/registries{query}")
    assert answer.status == 200, answer
    return [one["name"] for one in answer["registries"]]


async def settled(api: Api, ref: str) -> Reply:
    """A container once it is Created or in Error."""
    async with asyncio.timeout(PATIENCE):
        while True:
            reply = await api("GET", f"/containers/{ref}")
            if reply["status"] in ("Created", "Error") and reply["task_state"] is None:
                return reply
            await asyncio.sleep(0.01)


async def made(api: Api, **asked: object) -> Reply:
    answer = await api("POST", "/containers", asked)
    assert answer.status == 202, answer
    return await settled(api, answer["uuid"])


async def test_a_registry_is_stored_shown_changed_and_deleted(town: Town) -> None:
    answer = await town.one("POST", "/registries", {"registry": {"domain": "reg.example", "username": "ann"}})
    assert answer.status == 201
    shown = answer["registry"]
    assert answer.headers["location"].endswith(f"/v1/registries/{shown['uuid']}")
    assert set(shown) == {"uuid", "links", "name", "project_id", "user_id", "domain", "username", "password"}
    assert (shown["domain"], shown["username"], shown["password"]) == ("reg.example", "ann", "***")
    assert shown["name"]
    assert (await town.one("GET", f"/registries/{shown['uuid']}"))["registry"] == shown
    changed = await town.one("PATCH", f"/registries/{shown['name']}", {"registry": {"name": "other", "username": ""}})
    assert changed.status == 200
    assert changed["registry"] == shown | {"name": "other", "username": None}
    listed = (await town.one("GET", "/registries"))["registries"]
    assert [one["uuid"] for one in listed] == [shown["uuid"]]
    assert "links" not in listed[0]
    assert (await town.one("DELETE", "/registries/other")).status == 204
    assert (await town.one("GET", "/registries/other")).error == (404, "container.registry-not-found")
    assert (await town.one("DELETE", "/registries/other")).error == (404, "container.registry-not-found")


async def test_a_password_is_given_back_to_nobody_and_lies_nowhere_in_clear(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    town.cloud.images.keep_for(LOGIN, SECRET)
    registry = await stored(town.one)
    container = await made(town.one, image=SECRET, registry="mine", name="uses")
    assert container["status"] == "Created"
    answers = [
        await town.one("GET", "/registries"),
        await town.one("PATCH", "/registries/mine", {"registry": {"password": PASSWORD}}),
        await town.one("POST", "/registries", {"registry": {"domain": 5, "password": PASSWORD}}),
        await town.one("POST", "/registries", {"registry": {"domain": "x y", "password": PASSWORD}}),
        await town.one("POST", "/registries", {"registry": {"domain": f"https://ann:{PASSWORD}@x.y"}}),
        await town.one("POST", "/registries", {"registry": {"domain": "x.y", "password": [PASSWORD]}}),
        await town.one("PATCH", "/registries/mine", {"registry": {"pass": PASSWORD}}),
        await town.one("GET", "/containers/uses/container_actions"),
        await town.admin("GET", "/events?all_projects=true"),
        container,
    ]
    assert registry["password"] == "***"
    assert [answer.status for answer in answers] == [200, 200, 400, 400, 400, 400, 400, 200, 200, 200]
    assert not [answer for answer in answers if "sesame" in str(answer)]
    assert "sesame" not in caplog.text
    file = str(town.cloud.database.engine.url.database)
    with sqlite3.connect(file) as direct:
        assert "sesame" not in "\n".join(direct.iterdump())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "'registry' is a required property"),
        ({"registry": {}}, "domain"),
        ({"registry": {"domain": ""}}, "domain"),
        ({"registry": {"domain": "a" * 256}}, "domain"),
        ({"registry": {"domain": "https://reg.example"}}, "domain"),
        ({"registry": {"domain": "reg.example/team"}}, "domain"),
        ({"registry": {"domain": "registry"}}, "domain"),
        ({"registry": {"domain": "reg.example", "name": "x"}}, "registry"),
        ({"registry": {"domain": "reg.example", "username": "a:b"}}, "registry"),
        ({"registry": {"domain": "reg.example", "colour": "red"}}, "colour"),
        ({"registry": {"domain": "reg.example"}, "more": 1}, "more"),
    ],
)
async def test_what_is_no_registry_is_refused_and_says_why(town: Town, body: object, told: str) -> None:
    answer = await town.one("POST", "/registries", body)
    assert answer.error == (400, "container.schema-validation-error")
    assert told in answer["errors"][0]["detail"]


async def test_null_changes_nothing_and_is_refused(town: Town) -> None:
    await stored(town.one)
    for name in ("name", "domain", "username", "password"):
        answer = await town.one("PATCH", "/registries/mine", {"registry": {name: None}})
        assert answer.error == (400, "container.schema-validation-error")
    assert (await town.one("GET", "/registries/mine"))["registry"]["username"] == "ann"


async def test_a_name_that_two_have_is_ambiguous_and_ids_are_not(town: Town) -> None:
    first, second = await stored(town.one), await stored(town.one)
    assert (await town.one("GET", "/registries/mine")).error == (409, "container.conflict")
    assert (await town.one("DELETE", "/registries/mine")).error == (409, "container.conflict")
    assert (await town.one("POST", "/containers", {"image": "busybox", "registry": "mine"})).status == 409
    assert (await town.one("DELETE", f"/registries/{first['uuid']}")).status == 204
    assert (await town.one("GET", "/registries/mine"))["registry"]["uuid"] == second["uuid"]


async def test_another_project_sees_nothing_of_a_registry_and_an_admin_everything(town: Town) -> None:
    registry = await stored(town.one)
    for method, body in (("GET", None), ("PATCH", {"registry": {"name": "theirs"}}), ("DELETE", None)):
        answer = await town.two(method, f"/registries/{registry['uuid']}", body)
        assert answer.error == (404, "container.registry-not-found")
    assert await names(town.two) == []
    assert (await town.two("GET", "/registries?all_projects=true")).status == 403
    assert await names(town.admin) == []
    assert await names(town.admin, "?all_projects=1") == ["mine"]
    assert (await town.admin("GET", "/registries/mine"))["registry"]["uuid"] == registry["uuid"]


async def test_nobody_logs_in_with_another_projects_registry_not_even_an_admin(town: Town) -> None:
    registry = await stored(town.one)
    for api in (town.two, town.admin):
        answer = await api("POST", "/containers", {"image": SECRET, "registry": registry["uuid"]})
        assert answer.error == (404, "container.registry-not-found")


async def test_a_list_is_filtered_sorted_and_paged_with_everything_in_the_next_link(town: Town) -> None:
    for number in range(5):
        await stored(town.one, name=f"r{number}", domain="a.example" if number % 2 else "b.example")
    assert await names(town.one, "?domain=b.example") == ["r0", "r2", "r4"]
    assert await names(town.one, "?name=r1&name=r3") == ["r1", "r3"]
    assert await names(town.one, "?sort_key=name&sort_dir=desc&limit=2") == ["r4", "r3"]
    found: list[str] = []
    page = await town.one("GET", "/registries?domain=b.example&sort_key=name&sort_dir=desc&limit=2")
    while True:
        found += [one["name"] for one in page["registries"]]
        if page["next"] is None:
            break
        page = await town.one("GET", page["next"])
    assert found == ["r4", "r2", "r0"]
    assert (await town.one("GET", "/registries?marker=nobody")).error == (404, "container.registry-not-found")
    assert (await town.one("GET", "/registries?sort_key=password")).error == (400, "container.invalid-parameter-value")
    assert (await town.one("GET", "/registries?colour=red")).status == 400


async def test_a_registry_that_a_container_names_stays_until_the_container_is_gone(town: Town) -> None:
    town.cloud.images.publish("reg.example/app:1")
    registry = await stored(town.one)
    container = await made(town.one, image="app:1", registry="mine", name="uses")
    assert (container["status"], container["registry_id"]) == ("Created", registry["uuid"])
    assert town.cloud.images.here("reg.example/app:1") is not None
    assert (await town.one("DELETE", "/registries/mine")).error == (409, "container.conflict")
    assert (await town.one("DELETE", "/containers/uses")).status == 204
    await town.one.until("uses", None)
    assert (await town.one("DELETE", "/registries/mine")).status == 204


async def test_a_changed_password_counts_from_the_next_fetch_on(town: Town) -> None:
    town.cloud.images.keep_for(LOGIN, SECRET)
    await stored(town.one, password="wrong")
    failed = await made(town.one, image=SECRET, registry="mine", name="first")
    assert failed["status"] == "Error"
    assert "could not be found" in failed["status_reason"]
    assert (await town.one("PATCH", "/registries/mine", {"registry": {"password": PASSWORD}})).status == 200
    assert (await made(town.one, image=SECRET, registry="mine", name="second"))["status"] == "Created"
    assert (await town.one("POST", "/containers/first/rebuild")).status == 202
    assert (await settled(town.one, "first"))["status"] == "Created"


async def test_two_projects_and_one_private_image_whoever_has_no_credentials_has_no_image(town: Town) -> None:
    town.cloud.images.keep_for(LOGIN, SECRET)
    await stored(town.one)
    assert (await made(town.one, image=SECRET, registry="mine"))["status"] == "Created"
    thief = await made(town.two, image=SECRET)
    assert (thief["status"], "could not be found" in thief["status_reason"]) == ("Error", True)
    await stored(town.two, name="ours")
    assert (await made(town.two, image=SECRET, registry="ours"))["status"] == "Created"


async def test_a_password_goes_to_no_other_domain_than_it_was_given_for(town: Town) -> None:
    await stored(town.one)
    asked = {"registry": {"domain": "evil.example"}}
    assert (await town.one("PATCH", "/registries/mine", asked)).error == (400, "container.schema-validation-error")
    asked["registry"]["password"] = "another"
    assert (await town.one("PATCH", "/registries/mine", asked))["registry"]["domain"] == "evil.example"


async def test_without_its_key_the_service_does_everything_but_what_needs_a_password(town: Town) -> None:
    town.cloud.images.keep_for(LOGIN, SECRET)
    await stored(town.one)
    town.cloud.images.publish("reg.example/app:1")
    key = Path(str(town.cloud.database.engine.url.database)).with_name("secrets.key")
    key.write_text("dGhpcyBpcyBhbm90aGVyIGtleSwgcmVhbGx5ISEhISE=\n")
    await town.cloud.control.restart()
    assert await names(town.one) == ["mine"]
    made_anyway = await town.one("POST", "/containers", {"image": "reg.example/app:1", "name": "plain"})
    assert (await settled(town.one, made_anyway["uuid"]))["status"] == "Created"
    needs = await town.one("POST", "/containers", {"image": SECRET, "registry": "mine", "name": "needs"})
    async with asyncio.timeout(PATIENCE):
        while "credentials" not in str((await town.one("GET", "/containers/needs"))["status_reason"]):
            await asyncio.sleep(0.02)
    assert needs.status == 202
