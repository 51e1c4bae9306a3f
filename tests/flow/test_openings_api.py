"""Published and exposed ports and security groups over HTTP, through the real service and a host with a runtime and a plug in memory."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from higgins.api.server import serving
from higgins.api.zun.door import application
from higgins.model.network import HostPort, Port, Published, Rule
from higgins.service.policy import Policy
from higgins.testing.networks import FakePlug
from tests.flow.harness import cloud, services
from tests.flow.town import Api, Reply, Tokens, Town
from tests.patience import PATIENCE

ZUNS = "container 1.40"
OLD = "container 1.14"
WEB = {"protocol": "tcp", "port_min": 80, "port_max": 80, "source": None}


@pytest.fixture
def plug() -> FakePlug:
    return FakePlug()


@pytest.fixture
async def nets(tmp_path: Path, plug: FakePlug) -> AsyncIterator[Town]:
    """A town with networks."""
    async with cloud(tmp_path, pool="10.88.0.0/16", plug=plug) as running:
        app = application(services(running), Tokens(), Policy())
        async with serving(app, host="127.0.0.1", port=0, grace=0.1) as at, aiohttp.ClientSession() as session:
            yield Town(running, *(Api(session, at.url, token) for token in ("p1", "p2", "admin")))


async def group(api: Api, name: str, *rules: dict[str, Any]) -> str:
    answer = await api("POST", "/security_groups", {"name": name, "rules": rules})
    assert answer.status == 201, answer
    assert answer.headers["location"].endswith(f"/v1/security_groups/{answer['uuid']}")
    return str(answer["uuid"])


async def plugged(plug: FakePlug, **wanted: Any) -> Port:
    """The only port of the host, once it is like this."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = [port for port, _ in plug.plugged.values()]
            if len(found) == 1 and all(getattr(found[0], name) == value for name, value in wanted.items()):
                return found[0]
            await asyncio.sleep(0.01)


async def ended(api: Api, uuid: str) -> None:
    assert (await api("DELETE", f"/containers/{uuid}?stop=true")).status == 204
    await api.until(uuid, None)


async def test_a_published_port_is_shown_as_it_was_got_and_its_host_has_it(nets: Town, plug: FakePlug) -> None:
    asked = [{"port": 80, "host_port": 8080}, {"port": 53, "protocol": "udp"}]
    uuid = await nets.one.run("web", "sleep", "inf", published_ports=asked)
    shown = await nets.one("GET", f"/containers/{uuid}")
    assert shown["published_ports"] == [
        {"port": 80, "protocol": "tcp", "host_port": 8080},
        {"port": 53, "protocol": "udp", "host_port": 30000},
    ]
    assert shown["ports"] == [80, 53]
    leads = (Published(host_port=8080, port=80), Published(host_port=30000, port=53, protocol="udp"))
    await plugged(plug, published=leads, rules=None)
    # Somebody else's container, too, cannot have it on the same host.
    other = await nets.two(
        "POST", "/containers", {"image": "busybox", "published_ports": [{"port": 81, "host_port": 8080}]}
    )
    refused = await nets.two.until(other["uuid"], "Error")
    assert "1 on which a port that was asked for is taken" in refused["status_reason"]
    await ended(nets.one, uuid)
    again = await nets.two("POST", f"/containers/{other['uuid']}/start")
    assert again.status == 202
    await nets.two.until(other["uuid"], "Running")


async def test_what_the_hosts_own_programs_have_is_heard_of(nets: Town, plug: FakePlug) -> None:
    plug.others = (HostPort("tcp", 30000),)
    await nets.cloud.agent.restart()
    async with asyncio.timeout(PATIENCE):
        while not any(host.busy for host in await nets.cloud.hosts.list()):
            await asyncio.sleep(0.01)
    uuid = await nets.one.run("web", "sleep", "inf", published_ports=[{"port": 80}])
    assert (await nets.one("GET", f"/containers/{uuid}"))["published_ports"][0]["host_port"] == 30001


async def test_zuns_versions_know_nothing_of_published_ports(nets: Town) -> None:
    asked = {"image": "busybox", "name": "web", "published_ports": [{"port": 80}]}
    refused = await nets.one("POST", "/containers", asked, version=ZUNS)
    assert refused.error == (400, "container.schema-validation-error")
    uuid = await nets.one.run("web", "sleep", "inf")
    assert "published_ports" not in (await nets.one("GET", f"/containers/{uuid}", version=ZUNS)).body
    assert (await nets.one("GET", f"/containers/{uuid}"))["published_ports"] == []


async def test_exposed_ports_are_the_only_ones_that_are_let_in(nets: Town, plug: FakePlug) -> None:
    uuid = await nets.one.run("web", "sleep", "inf", exposed_ports={"80/tcp": {}, "53/udp": {}})
    rules = (Rule(protocol="tcp", first=80, last=80), Rule(protocol="udp", first=53, last=53))
    await plugged(plug, rules=rules)
    assert (await nets.one("GET", f"/containers/{uuid}"))["ports"] == [80, 53]


async def test_groups_are_let_in_added_and_taken_away_while_it_runs(nets: Town, plug: FakePlug) -> None:
    web, ping = await group(nets.one, "web", WEB), await group(nets.one, "ping", {"protocol": "icmp"})
    uuid = await nets.one.run("web", "sleep", "inf", security_groups=["web"])
    shown = await nets.one("GET", f"/containers/{uuid}")
    assert shown["security_groups"] == [web]
    allowed = Rule(protocol="tcp", first=80, last=80)
    await plugged(plug, rules=(allowed,))
    added = await nets.one("POST", f"/containers/{uuid}/add_security_group?name=ping", version=OLD)
    assert (added.status, added.body) == (202, None)
    await plugged(plug, rules=(allowed, Rule(protocol="icmp")))
    assert (await nets.one.until(uuid, "Running"))["security_groups"] == [web, ping]
    taken = await nets.one("POST", f"/containers/{uuid}/remove_security_group", {"name": web})
    assert taken.status == 202
    await plugged(plug, rules=(Rule(protocol="icmp"),))
    await nets.one.until(uuid, "Running")
    actions = (await nets.one("GET", f"/containers/{uuid}/container_actions"))["containerActions"]
    assert [one["action"] for one in actions] == ["remove_security_group", "add_security_group", "create"]
    assert all(one["finish_time"] and one["message"] is None for one in actions)
    path = f"/containers/{uuid}/container_actions/{actions[1]['request_id']}"
    (event,) = (await nets.one("GET", path, version=ZUNS))["events"]
    assert (event["event"], event["result"]) == ("compute__add_security_group", "Success")


async def test_while_its_groups_change_it_says_so(nets: Town, plug: FakePlug) -> None:
    await group(nets.one, "web", WEB)
    uuid = await nets.one.run("web", "sleep", "inf")
    for verb, task in (("add", "sg_adding"), ("remove", "sg_removing")):
        await nets.cloud.agent.kill()
        assert (await nets.one("POST", f"/containers/{uuid}/{verb}_security_group?name=web", version=OLD)).status == 202
        waits = await nets.one("GET", f"/containers/{uuid}", version=OLD)
        assert (waits["status"], waits["task_state"]) == ("Running", task)
        nets.cloud.agent.start()
        await nets.one.until(uuid, "Running")


@pytest.mark.parametrize("version", ["container 1.15", ZUNS])
async def test_between_zuns_and_ours_there_is_no_adding(nets: Town, version: str) -> None:
    for verb in ("add", "remove"):
        answer = await nets.one("POST", f"/containers/web/{verb}_security_group?name=web", version=version)
        assert answer.status == 406


async def test_a_group_is_shown_listed_and_deleted_once_nobody_has_it(nets: Town) -> None:
    uuid = await group(nets.one, "web", WEB)
    shown = await nets.one("GET", "/security_groups/web")
    assert (shown["uuid"], shown["rules"], shown["project_id"]) == (uuid, [WEB], "p1")
    (listed,) = (await nets.one("GET", "/security_groups"))["security_groups"]
    assert listed == {name: value for name, value in shown.body.items() if name != "links"}
    made = await nets.one.run("web", "sleep", "inf", security_groups=[uuid])
    assert (await nets.one("DELETE", "/security_groups/web")).status == 409
    await ended(nets.one, made)
    assert (await nets.one("DELETE", "/security_groups/web")).status == 204
    assert (await nets.one("GET", "/security_groups/web")).error == (404, "container.security-group-not-found")


async def test_a_stranger_finds_no_group_by_any_route(nets: Town) -> None:
    uuid = await group(nets.one, "web", WEB)
    unknown = "00000000-0000-4000-8000-000000000000"
    for method in ("GET", "DELETE"):
        answers = [await nets.two(method, f"/security_groups/{ref}") for ref in (uuid, "web", unknown)]
        assert {one.error for one in answers} == {(404, "container.security-group-not-found")}
    assert (await nets.two("GET", "/security_groups"))["security_groups"] == []
    assert (await nets.two("GET", f"/security_groups?marker={uuid}")).status == 404
    assert (await nets.two("GET", "/security_groups?all_projects=1")).status == 403
    for ref in (uuid, "web"):
        refused = await nets.two("POST", "/containers", {"image": "busybox", "security_groups": [ref]})
        assert (refused.status, refused.body["errors"][0]["detail"]) == (400, f"Security group {ref} not found.")
    assert (await nets.admin("GET", f"/security_groups/{uuid}"))["name"] == "web"


async def test_a_list_of_groups_is_walked_by_its_next(nets: Town) -> None:
    for name in ("one", "two", "three"):
        await group(nets.one, name)
    seen, path = [], "/security_groups?limit=2&sort_key=name"
    while path:
        page: Reply = await nets.one("GET", path)
        seen += [one["name"] for one in page["security_groups"]]
        path = page["next"]
    assert seen == ["one", "three", "two"]


async def test_a_dry_run_tells_that_a_port_is_taken(nets: Town) -> None:
    await nets.one.run("web", "sleep", "inf", published_ports=[{"port": 80, "host_port": 8080}])
    asked = {"image": "busybox", "published_ports": [{"port": 80, "host_port": 8080}]}
    foretold = await nets.admin("POST", "/containers?dry_run=true", asked)
    assert (foretold.status, foretold["fits"]) == (200, False)
    assert foretold["refused"] == [
        {"rule": "ports", "hosts": 1, "reason": "on which a port that was asked for is taken"}
    ]
    assert "on which a port that was asked for is taken" in foretold["reason"]


async def test_a_port_of_the_host_leads_to_a_capsule(nets: Town, plug: FakePlug) -> None:
    ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]
    spec = {"containers": [{"image": "busybox", "command": ["sleep", "inf"], "ports": ports}]}
    template = {"kind": "capsule", "metadata": {"name": "shop"}, "spec": spec}
    made = await nets.one("POST", "/capsules", {"template": template})
    assert made.status == 202, made
    await plugged(plug, published=(Published(host_port=8080, port=80),), rules=None)
    shown = await nets.one("GET", f"/capsules/{made['uuid']}")
    assert shown["published_ports"] == [{"port": 80, "protocol": "tcp", "host_port": 8080}]
    assert shown["containers"][0]["published_ports"] == []
    # Zun overlooks it.
    before = await nets.one("POST", "/capsules", {"template": template}, version=ZUNS)
    assert "published_ports" not in before.body
    assert (await nets.one("GET", f"/capsules/{before['uuid']}"))["published_ports"] == []
