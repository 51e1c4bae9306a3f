"""Hosts, services, zones and capabilities over HTTP, through the real service and a host with a runtime in memory."""

import asyncio
import sqlite3
from typing import Any

import pytest

from tests.flow.harness import HOST
from tests.flow.town import Api, Town
from tests.patience import PATIENCE

SERVICE = "host=here&binary=zun-compute"


@pytest.fixture(autouse=True)
async def settled(town: Town) -> None:
    """The host has joined."""
    await until_it_is(town.admin, "up")


async def a_second_host(town: Town, name: str = "there", zone: str = "attic") -> None:
    """One that has joined and is silent."""
    await town.cloud.hosts.invite("digest", 60)
    assert await town.cloud.hosts.consume("digest", HOST.replace("1", "2"), name)  # type: ignore[arg-type]
    file = town.cloud.database.engine.url.database
    with sqlite3.connect(str(file)) as direct:
        direct.execute("UPDATE hosts SET availability_zone = ? WHERE name = ?", (zone, name))


async def the_service(api: Api, name: str = "here") -> dict[str, Any]:
    services = (await api("GET", "/services"))["services"]
    return next((one for one in services if one["host"] == name), {"state": None})


async def until_it_is(api: Api, state: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await the_service(api))["state"] != state:
            await asyncio.sleep(0.02)


async def test_every_host_is_shown_as_a_service_with_a_number_that_stays(town):
    answer = await town.admin("GET", "/services?limit=1")
    assert list(answer.body) == ["services"]
    [service] = answer["services"]
    assert set(service) == {
        *("id", "host", "binary", "state", "disabled", "disabled_reason", "forced_down", "report_count"),
        *("last_seen_up", "created_at", "updated_at", "availability_zone"),
    }
    assert (service["id"], service["binary"], service["availability_zone"]) == (0x1111111, "zun-compute", "nova")
    assert service["report_count"] >= 1
    assert "T" in service["last_seen_up"]


@pytest.mark.parametrize("spoken", ["query", "body"])
async def test_a_service_is_disabled_with_a_reason_and_enabled_again(town, spoken):
    asked = {"host": "here", "binary": "zun-compute", "disabled_reason": "new disks"}
    off = (
        await town.admin("PUT", f"/services/disable?{SERVICE}&disabled_reason=new+disks")
        if spoken == "query"
        else await town.admin("PUT", "/services/disable", asked)
    )
    assert (off.status, off["service"]) == (
        200,
        {"host": "here", "binary": "zun-compute", "disabled": True, "disabled_reason": "new disks"},
    )
    refused = await town.one("POST", "/containers", {"image": "busybox", "name": "late"})
    shown = await town.one.until(refused["uuid"], "Error")
    assert "disabled" in shown["status_reason"]
    on = await town.admin("PUT", f"/services/enable?{SERVICE}")
    assert on["service"] == {"host": "here", "binary": "zun-compute", "disabled": False, "disabled_reason": None}
    await town.one.run("early", "sleep", "inf")


async def test_a_service_that_is_forced_down_counts_as_down_at_once_and_comes_back_when_that_is_lifted(town):
    ref = await town.one.run("web", "sleep", "inf")
    forced = await town.admin("PUT", f"/services/force_down?{SERVICE}&forced_down=True")
    assert forced["service"] == {"host": "here", "binary": "zun-compute", "forced_down": True}
    service = await the_service(town.admin)
    assert (service["state"], service["forced_down"]) == ("down", True)
    assert (await town.one.until(ref, "Unknown"))["status_reason"]
    await asyncio.sleep(0.8)  # Its agent goes on calling.
    assert (await the_service(town.admin))["state"] == "down"
    assert (await the_service(town.admin))["report_count"] > service["report_count"]
    lifted = await town.admin(
        "PUT", "/services/force_down", {"host": "here", "binary": "zun-compute", "forced_down": "false"}
    )
    assert lifted["service"]["forced_down"] is False
    await until_it_is(town.admin, "up")
    await town.one.until(ref, "Running")


@pytest.mark.parametrize("way", ["query", "body", "path"])
async def test_a_service_that_holds_nothing_is_deleted_and_one_that_does_is_not(town, way):
    async def delete(name: str):
        match way:
            case "query":
                return await town.admin("DELETE", f"/services?host={name}&binary=zun-compute")
            case "body":
                return await town.admin("DELETE", "/services", {"host": name, "binary": "zun-compute"})
            case _:
                return await town.admin("DELETE", f"/services/{name}?binary=zun-compute")

    await a_second_host(town)
    await town.one.run("web", "sleep", "inf")
    assert (await delete("here")).status == 409
    gone = await delete("there")
    assert (gone.status, gone.body) == (200, None)
    assert [one["host"] for one in (await town.admin("GET", "/services"))["services"]] == ["here"]
    assert (await delete("there")).error == (404, "container.zun-service-not-found")


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("PUT", "/services/enable?binary=zun-compute", "host"),
        ("PUT", "/services/enable?host=here", "binary"),
        ("PUT", "/services/disable", "host"),
        ("PUT", f"/services/force_down?{SERVICE}", "forced_down"),
        ("PUT", f"/services/force_down?{SERVICE}&forced_down=perhaps", "forced_down"),
        ("PUT", f"/services/disable?{SERVICE}&disabled_reason={'x' * 256}", "disabled_reason"),
        ("PUT", f"/services/enable?{SERVICE}&colour=red", "colour"),
        ("DELETE", "/services?binary=zun-compute", "host"),
        ("DELETE", "/services?host=here", "binary"),
    ],
)
async def test_what_is_missing_or_wrong_about_a_service_is_a_400_that_names_it(town, method, path, named):
    answer = await town.admin(method, path)
    assert answer.status == 400
    assert f"'{named}'" in answer["errors"][0]["detail"]


@pytest.mark.parametrize("service", ["host=nobody&binary=zun-compute", "host=here&binary=nova-compute"])
async def test_a_service_that_is_not_there_is_not_found(town, service):
    for path in ("enable", "disable", "force_down"):
        answer = await town.admin("PUT", f"/services/{path}?{service}{'&forced_down=true' * (path == 'force_down')}")
        assert answer.error == (404, "container.zun-service-not-found")


async def test_a_host_is_shown_with_what_it_has_and_what_is_booked(town):
    await town.one.run("web", "sleep", "inf", cpu=0.5, memory=256)
    async with asyncio.timeout(PATIENCE):
        # How many its engine has is what the host tells next, and not with what became of them.
        while (by_name := await town.admin("GET", "/hosts/here"))["total_containers"] != 1:
            await asyncio.sleep(0.02)
    assert by_name.body == (await town.admin("GET", f"/hosts/{HOST}")).body
    told = (await town.cloud.host()).inventory
    assert told is not None
    shown = by_name.body
    assert (shown["uuid"], shown["hostname"]) == (HOST, "here")
    assert [link["href"] for link in shown["links"]] == [
        f"{town.admin.url}/v1/hosts/{HOST}",
        f"{town.admin.url}/hosts/{HOST}",
    ]
    assert (shown["mem_total"], shown["mem_used"]) == (told.capacity.memory, 256)
    assert (shown["cpus"], shown["cpu_used"]) == (int(told.capacity.cpu), 0.5)
    assert (shown["disk_total"], shown["disk_used"]) == (told.capacity.disk, 0)
    assert shown["runtimes"] == list(told.handlers)
    assert (shown["runtime"], shown["default_runtime"], shown["state"]) == (told.runtime, told.default_handler, "up")
    assert set(shown["capabilities"]) == set(told.capabilities)
    assert (await town.admin("GET", "/hosts/nobody")).error == (404, "container.compute-node-not-found")


OURS = {"runtime", "runtime_version", "default_runtime", "capabilities", "availability_zone", "state"}


async def test_a_host_of_an_older_version_lacks_what_came_after_it(town):
    old = await town.admin("GET", "/hosts/here", version="container 1.40")
    assert not OURS & set(old.body)
    assert set((await town.admin("GET", "/hosts/here")).body) == {*old.body, *OURS}
    [listed] = (await town.admin("GET", "/hosts", version="container 1.4"))["hosts"]
    assert set(listed) == set(old.body)
    for path in ("/hosts", "/hosts/here"):
        assert (await town.admin("GET", path, version="container 1.3")).status == 406
    assert (await town.one("GET", "/capabilities", version="container 1.40")).status == 406


async def test_hosts_are_listed_in_pages_in_any_order(town):
    await a_second_host(town)

    async def names(query: str) -> list[str]:
        found, url = [], f"/hosts{query}"
        while url:
            page = await town.admin("GET", url)
            found += [one["hostname"] for one in page["hosts"]]
            url = page["next"]
        return found

    assert await names("") == ["here", "there"]
    assert await names("?limit=1") == ["here", "there"]
    assert await names("?limit=1&sort_key=hostname&sort_dir=desc") == ["there", "here"]
    assert await names("?sort_key=mem_total&colour=red") == ["there", "here"]
    assert await names(f"?marker={HOST}") == ["there"]
    assert (await town.admin("GET", "/hosts?marker=nobody")).status == 404
    for query in ("limit=0", "sort_key=links", "sort_key=session", "sort_dir=up"):
        assert (await town.admin("GET", f"/hosts?{query}")).status == 400, query


async def test_everybody_sees_the_zones_each_once_in_pages_of_any_length(town):
    await a_second_host(town)
    for limit in ("", "?limit=1", "?limit=2", "?limit=3"):
        found, url = [], f"/availability_zones{limit}"
        while url:
            page = await town.one("GET", url)
            found += [one["availability_zone"] for one in page["availability_zones"]]
            url = page["next"]
        assert found == ["attic", "nova"], limit


async def test_everybody_learns_what_can_be_asked_for_and_nobody_of_which_host(town):
    told = (await town.cloud.host()).inventory
    assert told is not None
    answer = await town.one("GET", "/capabilities")
    assert answer.body == {
        "runtimes": sorted(told.handlers),
        "capabilities": sorted(told.capabilities),
        "architectures": [told.architecture] if told.architecture else [],
        "default_runtime": told.default_handler,
    }
    await town.admin("PUT", f"/services/disable?{SERVICE}")
    nothing = await town.one("GET", "/capabilities")
    assert nothing.body == {"runtimes": [], "capabilities": [], "architectures": [], "default_runtime": None}


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("GET", "/services", "zun-service:get_all"),
        ("PUT", f"/services/enable?{SERVICE}", "zun-service:enable"),
        ("PUT", f"/services/disable?{SERVICE}", "zun-service:disable"),
        ("PUT", f"/services/force_down?{SERVICE}&forced_down=true", "zun-service:force_down"),
        ("DELETE", f"/services?{SERVICE}", "zun-service:delete"),
        ("GET", "/hosts", "host:get_all"),
        ("GET", "/hosts/here", "host:get"),
        ("GET", "/hosts/nobody", "host:get"),
    ],
)
async def test_hosts_and_services_are_for_operators_only(town, method, path, rule):
    answer = await town.one(method, path)
    assert answer.error == (403, "container.policy-not-authorized")
    assert rule in answer["errors"][0]["detail"]
