"""Networks over HTTP, and who is on them, through the real service and a host with a runtime and a plug in memory."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.api.zun.routes import ROUTES
from higgins.service.policy import Policy
from tests.flow.harness import cloud, services
from tests.flow.town import Api, Reply, Tokens, Town
from tests.patience import PATIENCE

POOL = "10.88.0.0/16"
NOTHING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def nets(tmp_path: Path) -> AsyncIterator[Town]:
    """A town with networks."""
    async with cloud(tmp_path, pool=POOL) as running:
        app = application(services(running), Tokens(), Policy())
        async with serving(app, host="127.0.0.1", port=0, grace=0.1) as at, aiohttp.ClientSession() as session:
            yield Town(running, *(Api(session, at.url, token) for token in ("p1", "p2", "admin")))


async def made(api: Api, name: str, **said: object) -> Reply:
    answer = await api("POST", "/networks", {"name": name, **said})
    assert answer.status == 200, answer
    return answer


async def names(api: Api, query: str = "") -> list[str]:
    return [one["name"] for one in (await api("GET", f"/networks{query}"))["networks"]]


async def addresses(api: Api, ref: str) -> Mapping[str, list[str]]:
    """Those of a container, by the ids of its networks, once nothing is being done about it."""
    async with asyncio.timeout(PATIENCE):
        while (shown := await api("GET", f"/containers/{ref}"))["task_state"] is not None:
            await asyncio.sleep(0.01)
    return {network: [one["addr"] for one in there] for network, there in shown["addresses"].items()}


async def test_a_container_of_which_nothing_is_said_is_on_its_projects_network(nets: Town) -> None:
    assert await names(nets.one) == []
    uuid = await nets.one.run("web", "sleep", "inf")
    (network,) = (await nets.one("GET", "/networks"))["networks"]
    assert (network["name"], network["project_id"]) == ("default", "p1")
    (shown,) = (await nets.one("GET", f"/containers/{uuid}"))["addresses"].items()
    assert shown[0] == network["uuid"]
    (one,) = shown[1]
    assert set(one) == {"addr", "version", "port", "subnet_id", "preserve_on_delete"}
    assert (one["version"], one["subnet_id"], one["preserve_on_delete"]) == (4, network["uuid"], False)
    assert one["addr"].startswith(network["subnet"].removesuffix(".0/24"))
    # The next one finds it, and strangers get one of their own.
    await nets.one.run("db", "sleep", "inf")
    await nets.two.run("web", "sleep", "inf")
    assert (await names(nets.one), await names(nets.two)) == (["default"], ["default"])
    assert len((await nets.admin("GET", "/networks?all_projects=true"))["networks"]) == 2


async def test_a_network_is_made_shown_listed_and_deleted(nets: Town) -> None:
    made_one = await made(nets.one, "back", subnet="10.20.0.0/24")
    assert made_one.headers["location"].endswith(f"/v1/networks/{made_one['uuid']}")
    assert (made_one["subnet"], made_one["gateway"], made_one["project_id"]) == ("10.20.0.0/24", "10.20.0.1", "p1")
    assert (await nets.one("GET", "/networks/back")).body == made_one.body
    assert (await nets.one("GET", f"/networks/{made_one['uuid']}")).body == made_one.body
    (listed,) = (await nets.one("GET", "/networks"))["networks"]
    assert listed == {name: value for name, value in made_one.body.items() if name != "links"}
    assert (await nets.one("DELETE", "/networks/back")).status == 204
    assert (await nets.one("GET", "/networks/back")).error == (404, "container.network-not-found")


async def test_a_list_of_networks_is_walked_by_its_next(nets: Town) -> None:
    for name in ("one", "two", "three"):
        await made(nets.one, name)
    assert await names(nets.one, "?name=two") == ["two"]
    page = await nets.one("GET", "/networks?limit=2&sort_key=name")
    assert [one["name"] for one in page["networks"]] == ["one", "three"]
    rest = await nets.one("GET", page["next"])
    assert ([one["name"] for one in rest["networks"]], rest["next"]) == (["two"], None)


@pytest.mark.parametrize(
    ("said", "status", "word"),
    [
        ({"subnet": "10.20.0.0"}, 400, "subnet"),
        ({"subnet": "10.20.0.1/24"}, 400, "subnet"),
        ({"subnet": "10.20.0.0/31"}, 400, "subnet"),
        ({"subnet": "fd00::/64"}, 400, "subnet"),
        ({"subnet": "10.30.0.0/25"}, 409, "overlaps"),
        ({"shared": True}, 403, "network:create"),
    ],
)
async def test_a_network_that_cannot_be_is_refused_with_the_reason(
    nets: Town, said: dict[str, object], status: int, word: str
) -> None:
    await made(nets.one, "there", subnet="10.30.0.0/24")
    answer = await nets.one("POST", "/networks", {"name": "back", **said})
    assert answer.status == status, answer
    assert word in answer["errors"][0]["detail"]
    assert await names(nets.one) == ["there"]


async def test_what_every_project_may_use_is_an_administrators_to_make_and_delete(nets: Town) -> None:
    answer = await nets.admin("POST", "/networks", {"name": "public", "shared": True})
    assert (answer.status, answer["project_id"]) == (200, None)
    assert await names(nets.two) == ["public"]
    assert (await nets.two("DELETE", "/networks/public")).status == 403
    assert (await nets.admin("DELETE", "/networks/public")).status == 204


async def test_a_create_names_its_networks_and_addresses(nets: Town) -> None:
    front, back = (await made(nets.one, "front"))["uuid"], (await made(nets.one, "back", subnet="10.20.0.0/24"))["uuid"]
    both = await nets.one.run(
        "web", "sleep", "inf", nets=[{"network": "front"}, {"network": back, "v4-fixed-ip": "10.20.0.77"}]
    )
    shown = await addresses(nets.one, both)
    assert list(shown) == [front, back]
    assert shown[back] == ["10.20.0.77"]
    # Nobody asked for one of the project's, and none was made.
    assert await names(nets.one) == ["front", "back"]


@pytest.mark.parametrize(
    ("named", "status", "code", "word"),
    [
        ({"network": "nobodys"}, 404, "container.network-not-found", "nobodys"),
        ({"port": "some-port"}, 404, "container.port-not-found", "some-port"),
        ({"network": "theirs"}, 404, "container.network-not-found", "theirs"),
        ({"network": "twin"}, 409, "container.conflict", "uuid"),
        ({"network": "back", "v4-fixed-ip": "10.20.0.7"}, 409, "container.conflict", "10.20.0.7"),
        ({"network": "back", "v4-fixed-ip": "10.21.0.7"}, 400, None, "10.21.0.7"),
        ({"network": "back", "v4-fixed-ip": "10.20.0.1"}, 400, None, "10.20.0.1"),
        ({"network": "back", "v6-fixed-ip": "fd00::7"}, 400, None, "nets[0].v6-fixed-ip"),
        ({"network": "back", "port": "p"}, 400, None, "nets[0]"),
        ({}, 400, None, "nets[0]"),
    ],
)
async def test_what_cannot_be_had_is_refused_and_leaves_nothing(
    nets: Town, named: dict[str, str], status: int, code: str | None, word: str
) -> None:
    await made(nets.two, "theirs")
    await made(nets.one, "back", subnet="10.20.0.0/24")
    for subnet in ("10.30.0.0/24", "10.31.0.0/24"):
        await made(nets.one, "twin", subnet=subnet)
    await nets.one.run("there", "sleep", "inf", nets=[{"network": "back", "v4-fixed-ip": "10.20.0.7"}])
    answer = await nets.one("POST", "/containers", {"image": "busybox", "nets": [named]})
    assert answer.status == status, answer
    assert code is None or answer.error == (status, code)
    assert word in answer["errors"][0]["detail"]
    assert [one["name"] for one in (await nets.one("GET", "/containers"))["containers"]] == ["there"]


async def test_a_container_joins_and_leaves_networks_while_it_runs(nets: Town) -> None:
    back = (await made(nets.one, "back", subnet="10.20.0.0/24"))["uuid"]
    front = (await made(nets.one, "front"))["uuid"]
    web = await nets.one.run("web", "sleep", "inf", nets=[{"network": "front"}])
    answer = await nets.one(
        "POST", "/containers/web/network_attach?network=back&fixed_ip=10.20.0.9", version="container 1.40"
    )
    assert (answer.status, answer.body) == (200, None)
    assert (await addresses(nets.one, web))[back] == ["10.20.0.9"]
    (first, second) = (await nets.one("GET", "/containers/web/network_list"))["networks"]
    assert first["net_id"] == front
    assert second["net_id"] == back
    assert second["fixed_ips"] == [{"subnet_id": back, "version": 4, "ip_address": "10.20.0.9"}]
    old = (await nets.one("GET", "/containers/web/network_list", version="container 1.17"))["networks"]
    assert old[1] == {
        "net_id": back,
        "subnet_id": back,
        "port_id": second["port_id"],
        "version": 4,
        "ip_address": "10.20.0.9",
    }
    # By the port, as Heat does.
    left = await nets.one("POST", f"/containers/web/network_detach?port={second['port_id']}", version="container 1.18")
    assert (left.status, left.body) == (202, None)
    assert list(await addresses(nets.one, web)) == [front]
    assert (await nets.one("POST", "/containers/web/network_detach", {"network": "front"})).status == 202
    assert await addresses(nets.one, web) == {}
    assert (await nets.one("GET", f"/containers/{web}"))["status"] == "Running"
    verbs = [one["action"] for one in (await nets.one("GET", "/containers/web/container_actions"))["containerActions"]]
    assert verbs == ["network_detach", "network_detach", "network_attach", "create"]


async def test_a_container_that_says_nothing_of_a_network_joins_its_projects(nets: Town) -> None:
    back = (await made(nets.one, "back"))["uuid"]
    await made(nets.one, "later")
    web = await nets.one.run("web", "sleep", "inf", nets=[{"network": "later"}])
    assert (await nets.one("POST", "/containers/web/network_attach", {})).status == 200
    assert back in await addresses(nets.one, web)


@pytest.mark.parametrize(
    ("verb", "query", "status", "word"),
    [
        ("network_attach", "network=front", 400, "already attached"),
        ("network_attach", "network=nobodys", 404, "nobodys"),
        ("network_attach", "port=some-port", 404, "some-port"),
        ("network_attach", "network=back&fixed_ip=10.21.0.7", 400, "10.21.0.7"),
        ("network_attach", "network=back&port=p", 400, "port"),
        ("network_attach", "network=back&colour=red", 400, "colour"),
        ("network_detach", "network=back", 400, "is not attached"),
        ("network_detach", "network=nobodys", 404, "nobodys"),
        ("network_detach", "port=some-port", 404, "some-port"),
        ("network_detach", "", 400, "network"),
    ],
)
async def test_what_cannot_be_joined_or_left_is_refused(
    nets: Town, verb: str, query: str, status: int, word: str
) -> None:
    await made(nets.one, "front")
    await made(nets.one, "back", subnet="10.20.0.0/24")
    web = await nets.one.run("web", "sleep", "inf", nets=[{"network": "front"}])
    before = await addresses(nets.one, web)
    answer = await nets.one("POST", f"/containers/web/{verb}?{query}")
    assert answer.status == status, answer
    assert word in answer["errors"][0]["detail"]
    assert await addresses(nets.one, web) == before


async def test_a_network_that_somebody_is_on_cannot_be_deleted(nets: Town) -> None:
    await made(nets.one, "back")
    web = await nets.one.run("web", "sleep", "inf", nets=[{"network": "back"}])
    assert (await nets.one("DELETE", "/networks/back")).status == 409
    await nets.one("DELETE", f"/containers/{web}?stop=true")
    await nets.one.until(web, None)
    assert (await nets.one("DELETE", "/networks/back")).status == 204


@pytest.mark.parametrize("version", ["container 1.31", "container 1.41"])
async def test_a_capsule_is_on_its_projects_network_as_a_whole(nets: Town, version: str) -> None:
    template = {"kind": "capsule", "metadata": {}, "spec": {"containers": [{"image": "busybox"}, {"image": "busybox"}]}}
    capsule = (await nets.one("POST", "/capsules", {"template": template}))["uuid"]
    async with asyncio.timeout(PATIENCE):
        while not (shown := await nets.one("GET", f"/capsules/{capsule}", version=version))["addresses"]:
            await asyncio.sleep(0.01)
    (network,) = (await nets.one("GET", "/networks"))["networks"]
    assert list(shown["addresses"]) == [network["uuid"]]
    assert len(shown["addresses"][network["uuid"]]) == 1


async def test_the_same_network_asked_for_with_the_same_key_is_made_once(nets: Town) -> None:
    api = nets.one
    headers = {"X-Auth-Token": api.token, "OpenStack-API-Version": "container 1.41", "Idempotency-Key": "k"}
    told = []
    for _ in range(2):
        async with api.session.post(f"{api.url}/v1/networks", headers=headers, json={"name": "back"}) as answer:
            told.append(await answer.json())
            replayed = answer.headers.get("Idempotency-Replayed")
    assert told[0] == told[1] and replayed == "true"
    assert await names(api) == ["back"]


async def test_in_zuns_versions_an_administrator_makes_known_and_forgets_what_hosts_do_by_themselves(
    nets: Town,
) -> None:
    uuid = (await made(nets.one, "back"))["uuid"]
    body = {"name": "whatever", "neutron_net_id": uuid}
    answer = await nets.admin("POST", "/networks", body, version="container 1.40")
    assert answer.status == 200
    assert {name: answer[name] for name in ("uuid", "name", "network_id", "neutron_net_id")} == dict.fromkeys(
        ("uuid", "name", "network_id", "neutron_net_id"), uuid
    )
    assert set(answer.body) == {"uuid", "name", "project_id", "user_id", "network_id", "neutron_net_id"}
    assert (await nets.one("POST", "/networks", body, version="container 1.40")).status == 403
    unknown = await nets.admin("POST", "/networks", {"name": None, "neutron_net_id": NOTHING}, version="container 1.1")
    assert unknown.error == (404, "container.network-not-found")
    assert (await nets.admin("DELETE", f"/networks/{uuid}", version="container 1.26")).status == 406
    forbidden = await nets.one("DELETE", f"/networks/{uuid}", version="container 1.40")
    assert forbidden.status == 403 and "network:delete" in forbidden["errors"][0]["detail"]
    assert (await nets.admin("DELETE", f"/networks/{uuid}", version="container 1.40")).status == 204
    assert (await nets.admin("DELETE", f"/networks/{NOTHING}", version="container 1.40")).status == 404
    # It is the network's own project that deletes it.
    assert await names(nets.one) == ["back"]


async def test_where_hosts_make_no_networks_none_can_be_named(town: Town) -> None:
    for named in ({"network": "default"}, {"port": "p"}):
        answer = await town.one("POST", "/containers", {"image": "busybox", "nets": [named]})
        assert answer.status == 400
        assert "offers no networks" in answer["errors"][0]["detail"]
    uuid = await town.one.run("web", "sleep", "inf")
    assert await addresses(town.one, uuid) == {}
    assert (await town.one("POST", "/networks", {"name": "back"})).status == 400
    assert (await town.one("POST", "/containers/web/network_attach")).status == 400
    assert (await town.one("GET", "/networks")).body == {"networks": [], "next": None}
    assert (await town.one("GET", "/containers/web/network_list")).body == {"networks": []}


STRANGERS: dict[tuple[str, str], dict[str, Any]] = {
    # Every route of networks, as somebody of another project would try it.
    ("POST", "/networks"): {"body": {"name": "theirs"}},
    ("GET", "/networks"): {},
    ("GET", "/networks/{network}"): {},
    ("DELETE", "/networks/{network}"): {},
}


def test_the_table_of_strangers_names_every_route_of_networks() -> None:
    assert set(STRANGERS) == {(one.method, one.path) for one in ROUTES if one.path.startswith("/networks")}


async def test_a_stranger_cannot_see_name_use_or_delete_a_network_by_any_route(nets: Town) -> None:
    mine = (await made(nets.one, "back", subnet="10.20.0.0/24"))["uuid"]
    for (method, route), said in STRANGERS.items():
        told = set()
        for ref in (mine, "back", NOTHING):
            answer = await nets.two(method, route.replace("{network}", ref), said.get("body"))
            if "{network}" in route:
                assert answer.error == (404, "container.network-not-found"), (method, route)
                told.add(str(answer.body).replace(ref, ""))
            else:
                assert mine not in str(answer.body)
        # Not even the words of the refusal tell that there is something.
        assert len(told) == ("{network}" in route), (method, route)
    await nets.two.run("web", "sleep", "inf")
    for method, path, body in (
        ("POST", "/containers", {"image": "busybox", "nets": [{"network": mine}]}),
        ("POST", f"/containers/web/network_attach?network={mine}", None),
        ("POST", f"/containers/web/network_detach?network={mine}", None),
    ):
        assert (await nets.two(method, path, body)).error == (404, "container.network-not-found")
    assert await names(nets.one) == ["back"]
