"""What upstream gets wrong is right here: what no other file promises of it."""

import asyncio

import pytest

from tests.flow.harness import eventually
from tests.flow.town import Town
from tests.patience import PATIENCE


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("POST", "/containers", "image"),
        ("POST", "/containers/web/execute", "command"),
        ("POST", "/containers/web/execute_resize?w=80&h=24", "exec_id"),
        ("POST", "/containers/web/resize?w=80", "h"),
        ("GET", "/containers/web/get_archive", "path"),
        ("POST", "/containers/web/put_archive", "path"),
        ("POST", "/containers/web/put_archive?path=/tmp", "data"),
        ("POST", "/containers/web/commit", "repository"),
        ("PUT", "/services/enable?binary=zun-compute", "host"),
        ("PUT", "/services/force_down?host=one&binary=zun-compute", "forced_down"),
        ("DELETE", "/services?binary=zun-compute", "host"),
        ("POST", "/images", "repo"),
        ("POST", "/registries", "registry"),
    ],
)
async def test_what_is_missing_is_a_400_that_names_it(town: Town, method: str, path: str, field: str) -> None:
    await town.admin.run("web", "sleep", "inf")
    refused = await town.admin(method, path, {} if method == "POST" else None)
    assert refused.error == (400, "container.schema-validation-error"), refused
    assert refused["errors"][0]["detail"] == f"'{field}' is a required property"


FIELDS = (
    "cpu",
    "memory",
    "disk",
    "nets",
    "mounts",
    "name",
    "command",
    "environment",
    "labels",
    "restart_policy",
    "healthcheck",
    "hostname",
)


@pytest.mark.parametrize("field", FIELDS)
async def test_null_in_a_create_is_the_same_as_nothing(town: Town, field: str) -> None:
    plain = await town.one("POST", "/containers", {"image": "busybox", "name": "web"})
    made = await town.one("POST", "/containers", {"image": "busybox", "name": "web", field: None})
    assert made.status == 202, made
    if field in plain.body and field != "name":
        assert made[field] == plain[field]


async def test_a_name_that_looks_like_a_file_is_a_name(town: Town) -> None:
    for name in ("web.txt", "site.html", "data.tar.gz", "pic.png"):
        ref = await town.one.run(name, "sleep", "inf")
        assert (await town.one("GET", f"/containers/{name}"))["uuid"] == ref
        assert (await town.one("DELETE", f"/containers/{name}?stop=true")).status == 204


@pytest.mark.parametrize("flags", ["force=true&stop=true", "stop=true&force=true", "force=1&stop=yes"])
async def test_a_stop_does_not_smuggle_in_a_force(town: Town, flags: str) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    refused = await town.one("DELETE", f"/containers/{ref}?{flags}")
    assert refused.error == (403, "container.policy-not-authorized")
    assert (await town.one("GET", f"/containers/{ref}"))["status"] == "Running"


@pytest.mark.parametrize(
    ("policy", "fetches"),
    [("Always", 1), ("always", 1), ("IfNotPresent", 0), ("ifnotpresent", 0), ("Never", 0), ("never", 0), (None, 0)],
)
async def test_a_pull_policy_means_the_same_in_any_case_of_letters(
    town: Town, policy: str | None, fetches: int
) -> None:
    asked = {} if policy is None else {"image_pull_policy": policy}
    town.cloud.images.publish("busybox")
    await town.admin.run("first", "sleep", "inf")
    before = town.cloud.images.count("fetch")
    await town.admin.run("second", "sleep", "inf", **asked)
    assert town.cloud.images.count("fetch") - before == fetches


async def test_a_show_does_not_wait_for_a_host_that_hangs(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    town.cloud.runtime.slow("stop", 60)
    assert (await town.one("POST", f"/containers/{ref}/stop")).status == 202
    await eventually(lambda: town.cloud.runtime.count("stop") == 1)
    async with asyncio.timeout(PATIENCE):
        assert (await town.one("GET", f"/containers/{ref}"))["status"] == "Running"
        assert (await town.one("GET", "/containers")).status == 200


async def test_what_is_asked_while_a_host_is_away_is_done_when_it_is_back(town: Town) -> None:
    ref = await town.one.run("web", "sleep", "inf")
    for verb, status in (("stop", "Stopped"), ("start", "Running"), ("pause", "Paused"), ("unpause", "Running")):
        await town.cloud.agent.kill()
        assert (await town.one("POST", f"/containers/{ref}/{verb}")).status == 202
        town.cloud.agent.start()
        await town.one.until(ref, status)
