"""Containers over HTTP, through the real service, loops and agent, with a runtime in memory."""

from typing import Any

import pytest

from higgins.api.zun.routes import ROUTES
from tests.flow.town import VERSION


async def test_a_container_lives_its_life_through_the_api(town):
    api = town.one
    made = await api("POST", "/containers", {"image": "busybox", "name": "web", "command": ["sleep", "inf"]})
    assert (made.status, made["status"], made["environment"]) == (202, "Creating", None)
    ref = made["uuid"]
    assert made.headers["location"] == f"{api.url}/v1/containers/{ref}"
    created = await api.until(ref, "Created")
    assert created["environment"] == {}
    for verb, status in (
        ("start", "Running"),
        ("pause", "Paused"),
        ("unpause", "Running"),
        ("stop?timeout=1", "Stopped"),
        ("start", "Running"),
        ("reboot?timeout=0", "Running"),
    ):
        answer = await api("POST", f"/containers/{ref}/{verb}")
        assert (answer.status, answer.body) == (202, None), (verb, answer)
        await api.until(ref, status)
    assert (await api("POST", f"/containers/{ref}/kill?signal=None")).status == 202
    await api.until(ref, "Stopped")
    assert (await api("DELETE", "/containers/web?force=False&stop=False&all_projects=False")).status == 204
    gone = await api.until(ref, None)
    assert gone.error == (404, "container.container-not-found")


@pytest.mark.parametrize("flags", ["stop=True", "force=False&stop=yes"])
async def test_what_runs_is_deleted_with_stop_and_not_without(town, flags):
    ref = await town.one.run("web", "sleep", "inf")
    assert (await town.one("DELETE", f"/containers/{ref}")).error == (409, "container.invalid-state-exception")
    assert (await town.one("DELETE", f"/containers/{ref}?{flags}")).status == 204
    await town.one.until(ref, None)


async def test_only_an_admin_deletes_by_force(town):
    ref = await town.one.run("web", "sleep", "inf")
    assert (await town.one("DELETE", f"/containers/{ref}?force=true")).error == (403, "container.policy-not-authorized")
    assert (await town.admin("DELETE", f"/containers/{ref}?force=true")).status == 204
    await town.one.until(ref, None)


async def test_what_a_container_printed_can_be_read(town):
    ref = await town.one.run("web", "echo", 'say "caf\u00e9"')
    logs = await town.one("GET", f"/containers/{ref}/logs?stdout=True&stderr=True&timestamps=False&tail=all")
    assert (logs.status, logs.body) == (200, 'say "caf\u00e9"\n')


async def test_a_command_can_be_run_inside(town):
    ref = await town.one.run("web", "sleep", "inf")
    done = await town.one("POST", f"/containers/{ref}/execute?command=%22echo%22+%22a+b%22")
    assert done.body == {"output": "a b\n", "exit_code": 0, "exec_id": None, "proxy_url": None}
    stopped = await town.one("POST", f"/containers/{ref}/stop")
    assert stopped.status == 202
    await town.one.until(ref, "Stopped")
    refused = await town.one("POST", f"/containers/{ref}/execute?command=ls")
    assert refused.error == (409, "container.invalid-state-exception")


async def test_a_container_gets_another_name_both_ways(town):
    ref = await town.one.run("web", "sleep", "inf")
    patched = await town.one("PATCH", f"/containers/{ref}", {"name": "web.txt"})
    assert (patched.status, patched["name"], "links" in patched.body) == (200, "web.txt", True)
    again = await town.one("PATCH", f"/containers/{ref}", {"name": "web.txt"})
    assert (again.status, again["updated_at"]) == (200, patched["updated_at"])
    renamed = await town.one("POST", "/containers/web.txt/rename?name=shop", version="container 1.13")
    assert (renamed.status, renamed["name"]) == (200, "shop")
    assert (await town.one("GET", "/containers/shop"))["uuid"] == ref
    unchanged = await town.one("PATCH", "/containers/shop", {})
    assert (unchanged.status, unchanged["name"]) == (200, "shop")


async def test_an_action_is_known_by_the_request_that_caused_it(town):
    ref = await town.one.run("web", "sleep", "inf")
    stopped = await town.one("POST", f"/containers/{ref}/stop")
    request = stopped.headers["x-openstack-request-id"]
    await town.one.until(ref, "Stopped")
    actions = (await town.one("GET", f"/containers/{ref}/container_actions"))["containerActions"]
    assert [action["action"] for action in actions] == ["stop", "create"]
    assert actions[0]["request_id"] == request
    story = await town.one("GET", f"/containers/{ref}/container_actions/{request}", version="container 1.40")
    assert (story["action"], story["message"], story["container_uuid"]) == ("stop", None, ref)
    assert story["finish_time"] is not None
    assert [event["event"] for event in story["events"]] == ["compute__do_container_stop"]
    assert [event["result"] for event in story["events"]] == ["Success"]
    unknown = await town.one("GET", f"/containers/{ref}/container_actions/req-none")
    assert unknown.error == (404, "container.resource-not-found")


async def test_a_list_is_walked_by_its_next_with_all_that_was_asked(town):
    for name in ("web-1", "web-2", "web-3"):
        await town.one.run(name, "sleep", "inf")
    await town.one.run("done", "true")
    names, url = [], "/containers/?limit=2&status=Running&sort_key=name&sort_dir=desc"
    while url:
        page = await town.one("GET", url)
        names.append([one["name"] for one in page["containers"]])
        assert not any("links" in one for one in page["containers"])
        url = page["next"]
    assert names == [["web-3", "web-2"], ["web-1"]]
    both = await town.one("GET", "/containers?name=done&name=web-1")
    assert {one["name"] for one in both["containers"]} == {"done", "web-1"}
    nobody = await town.one("GET", "/containers?marker=0bb92283-1111-4222-8333-444455556666")
    assert nobody.status == 404


async def test_an_admin_sees_every_project_when_asking_for_it_and_more_of_each(town):
    ref = await town.one.run("web", "sleep", "inf")
    assert (await town.admin("GET", "/containers"))["containers"] == []
    [found] = (await town.admin("GET", "/containers?all_projects=1"))["containers"]
    assert (found["uuid"], found["host"], found["privileged"]) == (ref, "here", False)
    assert (await town.admin("GET", f"/containers/{ref}"))["host"] == "here"
    assert "host" not in (await town.one("GET", f"/containers/{ref}")).body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/containers?all_projects=true", None),
        ("GET", "/containers?host=here", None),
        ("GET", "/containers/web?all_projects=true", None),
        ("DELETE", "/containers/web?all_projects=true", None),
        ("POST", "/containers", {"image": "busybox", "privileged": True}),
        ("POST", "/containers", {"image": "busybox", "runtime": "runc"}),
        ("POST", "/containers", {"image": "busybox", "host": "here"}),
        ("POST", "/containers", {"image": "busybox", "image_pull_policy": "always"}),
    ],
)
async def test_what_policy_keeps_from_a_member_is_forbidden(town, method, path, body):
    assert (await town.one(method, path, body)).error == (403, "container.policy-not-authorized")


async def test_a_name_that_several_have_asks_for_the_id(town):
    for _ in range(2):
        await town.one.run("twin", "sleep", "inf")
    answer = await town.one("GET", "/containers/twin")
    assert answer.status == 409
    assert "use the container uuid" in str(answer.body)


STRANGERS: dict[tuple[str, str], dict[str, Any]] = {
    # Every route of containers, as somebody of another project would try it.
    ("POST", "/containers"): {"json": {"image": "busybox", "name": "web"}},
    ("GET", "/containers"): {},
    ("GET", "/containers/{container}"): {},
    ("PATCH", "/containers/{container}"): {"json": {"name": "mine"}},
    ("DELETE", "/containers/{container}"): {"query": "?stop=true"},
    ("POST", "/containers/{container}/start"): {},
    ("POST", "/containers/{container}/stop"): {},
    ("POST", "/containers/{container}/reboot"): {},
    ("POST", "/containers/{container}/pause"): {},
    ("POST", "/containers/{container}/unpause"): {},
    ("POST", "/containers/{container}/kill"): {},
    ("POST", "/containers/{container}/rebuild"): {},
    ("POST", "/containers/{container}/resize_container"): {"json": {"cpu": 1}},
    ("POST", "/containers/{container}/rename"): {"query": "?name=mine", "version": "container 1.13"},
    ("GET", "/containers/{container}/logs"): {},
    ("POST", "/containers/{container}/execute"): {"query": "?command=ls"},
    ("POST", "/containers/{container}/execute_resize"): {"query": f"?exec_id={'0' * 64}&w=80&h=24"},
    ("GET", "/containers/{container}/attach"): {},
    ("POST", "/containers/{container}/resize"): {"query": "?w=80&h=24"},
    ("GET", "/containers/{container}/top"): {},
    ("GET", "/containers/{container}/stats"): {},
    ("GET", "/containers/{container}/get_archive"): {"query": "?path=/etc"},
    ("POST", "/containers/{container}/put_archive"): {"query": "?path=/tmp&data="},
    ("POST", "/containers/{container}/commit"): {"query": "?repository=mine"},
    ("POST", "/containers/{container}/network_attach"): {"query": "?network=default"},
    ("POST", "/containers/{container}/network_detach"): {"query": "?network=default"},
    ("GET", "/containers/{container}/network_list"): {},
    ("POST", "/containers/{container}/add_security_group"): {"query": "?name=web"},
    ("POST", "/containers/{container}/remove_security_group"): {"query": "?name=web"},
    ("GET", "/containers/{container}/container_actions"): {},
    ("GET", "/containers/{container}/container_actions/{request_id}"): {},
}


def test_the_table_of_strangers_names_every_route_of_containers():
    assert set(STRANGERS) == {(one.method, one.path) for one in ROUTES if one.path.startswith("/containers")}


async def test_a_stranger_cannot_see_name_start_read_or_delete_a_container_by_any_route(town):
    ref = await town.one.run("web", "sleep", "inf")
    before = await town.one("GET", f"/containers/{ref}")
    actions = await town.one("GET", f"/containers/{ref}/container_actions")
    request = actions["containerActions"][0]["request_id"]
    for (method, route), how in STRANGERS.items():
        if "{container}" not in route:
            continue
        answers = []
        for name in (ref, "web", "nobody"):
            path = route.replace("{container}", name).replace("{request_id}", request) + how.get("query", "")
            answer = await town.two(method, path, how.get("json"), version=how.get("version", VERSION))
            assert answer.error == (404, "container.container-not-found"), (method, path, answer)
            answers.append(str(answer.body).replace(name, ""))
        # Not even the words of the refusal tell that there is something.
        assert len(set(answers)) == 1, (method, route)
    after = await town.one("GET", f"/containers/{ref}")
    assert {**after.body, "status_detail": None} == {**before.body, "status_detail": None}
    assert (await town.one("GET", f"/containers/{ref}/container_actions")).body == actions.body


@pytest.mark.parametrize("query", ["", "?name=web", "?project_id=p1", "?user_id=u-p1", "?sort_key=project_id"])
async def test_a_stranger_finds_no_container_in_any_list(town, query):
    await town.one.run("web", "sleep", "inf")
    assert (await town.two("GET", f"/containers{query}"))["containers"] == []


async def test_a_strangers_container_is_no_marker(town):
    ref = await town.one.run("web", "sleep", "inf")
    assert (await town.two("GET", f"/containers?marker={ref}")).status == 404


async def test_the_same_name_in_another_project_tells_nothing(town):
    ref = await town.one.run("web", "sleep", "inf")
    made = await town.two("POST", "/containers", {"image": "busybox", "name": "web"})
    assert made.status == 202
    assert (await town.two("GET", "/containers/web"))["uuid"] == made["uuid"]
    assert (await town.one("GET", "/containers/web"))["uuid"] == ref
