"""Capsules over HTTP, through the real service, loops and agent, with a runtime in memory."""

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from higgins import errors
from higgins.api.zun.routes import ROUTES
from higgins.model.capsule import Capsule, CapsuleSpec, Desired, Kind
from higgins.model.ids import CapsuleId, ContainerId
from higgins.model.query import Query
from higgins.store import capsules
from higgins.testing.runtime import Behaviour
from tests.flow.harness import alone, caller, cloud, container, eventually, request
from tests.flow.town import VERSION, Api, Reply, Town
from tests.patience import PATIENCE

LASTS = ("sleep", "inf")


def one(*command: str, **asked: Any) -> dict[str, Any]:
    return {"image": "busybox", "command": list(command or LASTS), **asked}


def template(*containers: Mapping[str, Any], name: str | None = "web", **spec: Any) -> dict[str, Any]:
    return {"kind": "capsule", "metadata": {"name": name}, "spec": {"containers": list(containers) or [one()], **spec}}


async def make(api: Api, asked: Any, status: str | None = "Running", *, version: str = VERSION) -> Reply:
    """A capsule, once it is so."""
    made = await api("POST", "/capsules", {"template": asked}, version=version)
    assert made.status == 202, made
    assert made.headers["location"] == f"{api.url}/v1/capsules/{made['uuid']}"
    return await until(api, str(made["uuid"]), status) if status else made


async def until(api: Api, ref: str, status: str | None, *, reason: str = "") -> Reply:
    """Wait for a status, with this in its reason; None: until it is gone."""
    reply = None
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                reply = await api("GET", f"/capsules/{ref}")
                if reply.status == 404:
                    assert status is None, reply
                    return reply
                if reply["status"] == status and reason in (reply["status_reason"] or ""):
                    return reply
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited for {status}, found {reply}") from None


async def started(town: Town, uuid: str) -> None:
    await eventually(lambda: town.cloud.runtime.starts[ContainerId(uuid)] > 0)


def states(capsule: Reply) -> Sequence[str]:
    """What its containers are, those that run first coming first."""
    return [each["status"] for each in (*capsule["init_containers"], *capsule["containers"])]


async def test_containers_run_side_by_side_once_the_first_ones_have_ended_one_after_the_other(town: Town) -> None:
    runtime = town.cloud.runtime
    for name in ("first", "second"):
        runtime.behave((name,), Behaviour())
    asked = template(one(), one(), initContainers=[one("first"), one("second")])
    made = await make(town.one, asked, None)
    assert states(made) == ["Creating"] * 4
    ids = [each["uuid"] for each in (*made["init_containers"], *made["containers"])]
    for number in (0, 1):
        # Nothing of what follows is even made. The sandbox has the capsule's id.
        await town.cloud.until_there({made["uuid"], *ids[: number + 1]})
        waiting = await until(town.one, "web", "Creating")
        assert waiting["task_state"] == "container_creating"
        await started(town, ids[number])
        runtime.end(ids[number])
    running = await until(town.one, "web", "Running")
    assert states(running) == ["Stopped", "Stopped", "Running", "Running"]
    assert (running["task_state"], running["deadline"], running["status_reason"]) == (None, None, None)


async def test_each_container_is_shown_with_a_name_and_a_state_of_its_own(town: Town) -> None:
    resources = {"requests": {"cpu": 0.5, "memory": 64}}
    asked = template(
        one(name="front", resources=resources, ports=[{"containerPort": 80}], labels={"tier": "front"}),
        one("false", name="front"),
        restartPolicy="Never",
        initContainers=[one("true", resources={"requests": {"cpu": 2, "memory": 16}})],
    )
    shown = await make(town.one, asked, None)
    shown = await until(town.one, "web", "Running", reason="has ended with exit code 1.")
    front, back = shown["containers"]
    assert front["name"] == "capsule-web-front"
    # The name was taken: it has a generated one, as has whoever has none.
    assert back["name"].startswith("capsule-web-") and back["name"] != front["name"]
    assert shown["init_containers"][0]["name"].startswith("capsule-web-")
    assert (front["status"], back["status"], back["exit_code"]) == ("Running", "Stopped", 1)
    assert (front["cpu"], front["memory"], front["ports"], front["labels"]) == (0.5, "64", [80], {"tier": "front"})
    assert (back["cpu"], back["memory"], back["image_driver"], "links" in back) == (None, None, None, False)
    # The more of what runs first alone, and of what runs side by side.
    assert (shown["cpu"], shown["memory"]) == (2.0, "64")
    assert shown["restart_policy"] == {"Name": "no", "MaximumRetryCount": "0"}


async def test_a_capsule_need_not_have_a_name(town: Town) -> None:
    shown = await make(town.one, template(name=None))
    assert shown["name"] is None
    assert shown["containers"][0]["name"].startswith(f"capsule-{shown['uuid']}-")


@pytest.mark.parametrize("policy", ["Always", "OnFailure", None])
async def test_a_container_that_has_to_run_first_is_tried_until_it_ends_well(town: Town, policy: str | None) -> None:
    asked = template(initContainers=[one("false")], restartPolicy=policy)
    made = await make(town.one, asked, None)
    told = await until(town.one, "web", "Creating", reason="ended with exit code 1 and is started again.")
    assert made["init_containers"][0]["name"] in told["status_reason"]
    town.cloud.runtime.behave(("false",), Behaviour(exit_code=0))
    assert states(await until(town.one, "web", "Running")) == ["Stopped", "Running"]


async def test_with_never_the_failure_of_a_container_that_has_to_run_first_is_that_of_the_capsule(town: Town) -> None:
    asked = template(one(), initContainers=[one("true"), one("false"), one("true")], restartPolicy="Never")
    failed = await make(town.one, asked, "Error")
    assert failed["init_containers"][1]["name"] in failed["status_reason"]
    assert "exit code 1" in failed["status_reason"]
    assert states(failed) == ["Stopped", "Error", "Error", "Error"]
    assert len(await town.cloud.runtime.list()) == 3, "the two that ran, and their sandbox"


@pytest.mark.parametrize(
    ("policy", "command", "status", "starts"),
    [
        ("Always", "true", "Restarting", 2),
        ("OnFailure", "false", "Restarting", 2),
        ("OnFailure", "true", "Stopped", 1),
        ("Never", "false", "Stopped", 1),
    ],
)
async def test_a_container_that_ended_is_started_again_as_the_template_says(
    town: Town, policy: str, command: str, status: str, starts: int
) -> None:
    made = await make(town.one, template(one(command), restartPolicy=policy), None)
    (container,) = made["containers"]
    await eventually(lambda: town.cloud.runtime.starts[container["uuid"]] >= starts)
    shown = await until(town.one, "web", status, reason=container["name"])
    assert states(shown) == [status]
    if starts == 1:
        assert town.cloud.runtime.starts[container["uuid"]] == 1


@pytest.mark.parametrize(
    "state", ["Creating", "before it runs", "Running", "Restarting", "Stopped", "Error", "no host"]
)
async def test_a_capsule_is_deleted_in_whatever_state_it_is_and_as_often_as_one_likes(town: Town, state: str) -> None:
    runtime = town.cloud.runtime
    match state:
        case "Creating":
            runtime.slow("create", 0.5)
            await make(town.one, template(one(), one()), "Creating")
        case "before it runs":
            await make(town.one, template(initContainers=[one()]), None)
            await eventually(lambda: runtime.count("start") == 2)
        case "Running":
            await make(town.one, template(one(), one(), initContainers=[one("true")]))
        case "Restarting":
            await make(town.one, template(one("false"), one()), "Restarting")
        case "Stopped":
            await make(town.one, template(one("false"), one("true"), restartPolicy="Never"), "Stopped")
        case "Error":
            await make(town.one, template(initContainers=[one("false")], restartPolicy="Never"), "Error")
        case "no host":
            await make(town.one, template() | {"availabilityZone": "nowhere"}, None)
    for _ in range(2):
        deleted = await town.one("DELETE", "/capsules/web")
        assert (deleted.status, deleted.body) == (204, None) or deleted.error == (404, "container.capsule-not-found")
    gone = await until(town.one, "web", None)
    assert gone["errors"][0]["title"] == "Capsule web could not be found."
    await town.cloud.until_empty()


async def test_each_container_has_ten_seconds_to_end_when_its_capsule_is_deleted(town: Town) -> None:
    shown = await make(town.one, template(one(), one()))
    assert (await town.one("DELETE", f"/capsules/{shown['uuid']}")).status == 204
    await until(town.one, "web", None)
    runtime = town.cloud.runtime
    inside = [each["uuid"] for each in shown["containers"]]
    assert {call.subject for call in runtime.seen if call.method == "stop"} == set(inside)
    assert [call.subject for call in runtime.seen if call.method == "remove"] == [*inside, shown["uuid"]]


async def test_a_capsule_is_placed_in_the_zone_that_its_template_names(town: Town) -> None:
    await make(town.one, template() | {"availabilityZone": "nova"})
    lost = await make(town.one, template(name="lost") | {"availabilityZone": "nowhere"}, "Error")
    assert lost["status_reason"].startswith("There are not enough hosts available")
    assert states(lost) == ["Error"]


@pytest.mark.parametrize(
    "asked",
    [
        template(one(image="x")),
        template({"command": ["x"]}),
        template(one(env={"A": 1})),
        template(volumes=[{"name": "v", "cinder": {"size": 1}}]),
        template(volumes=[{"name": "v", "cinder": {}}]),
        template(volumes=[{"name": "v", "cinder": {"size": 1, "volumeID": "x"}}]),
        "no template",
        "[1",
        {},
        None,
        7,
    ],
)
async def test_a_template_that_is_refused_leaves_nothing_behind(town: Town, asked: Any) -> None:
    refused = await town.one("POST", "/capsules", {"template": asked})
    assert refused.error == (400, "container.schema-validation-error")
    assert "template" in refused["errors"][0]["detail"]
    listed = await town.cloud.database.read(lambda db: capsules.page(db, None, Query(), Kind.CAPSULE))
    assert listed.items == ()


async def test_a_template_may_come_as_text(town: Town) -> None:
    assert (await make(town.one, json.dumps(template(name="as-json"))))["name"] == "as-json"
    text = "kind: capsule\nmetadata: {name: as-yaml}\nspec:\n  containers:\n  - image: busybox\n    command: [sleep, inf]\n"
    assert (await make(town.one, text))["name"] == "as-yaml"


@pytest.mark.parametrize("place", ["containers", "initContainers"])
async def test_when_an_image_is_fetched_is_for_admins_to_say(town: Town, place: str) -> None:
    asked = template()
    asked["spec"][place] = [one("true", imagePullPolicy="Always")]
    refused = await town.one("POST", "/capsules", {"template": asked})
    assert refused.error == (403, "container.policy-not-authorized")
    assert "container:create:image_pull_policy" in refused["errors"][0]["title"]
    town.cloud.images.publish("busybox")
    await make(town.admin, asked, None)


async def test_a_project_cannot_have_more_in_capsules_than_its_quota(town: Town) -> None:
    assert (await town.admin("PUT", "/quotas/p1", {"containers": 3})).status == 200
    await make(town.one, template(one(), initContainers=[one("true")]))
    refused = await town.one("POST", "/capsules", {"template": template(one(), one(), name="more")})
    assert refused.error == (403, "container.over-quota")
    assert (await town.one("GET", "/capsules/more")).status == 404
    assert (await town.one("POST", "/containers", {"image": "busybox"})).status == 202


async def test_the_same_request_with_the_same_key_makes_one_capsule(town: Town) -> None:
    api = town.one
    headers = {"X-Auth-Token": "p1", "OpenStack-API-Version": VERSION, "Idempotency-Key": "the-first"}
    answers = []
    for _ in range(2):
        url, body = f"{api.url}/v1/capsules", {"template": template()}
        async with api.session.post(url, headers=headers, json=body) as answer:
            answers.append((answer.status, answer.headers.get("Idempotency-Replayed"), await answer.json()))
    assert [status for status, _, _ in answers] == [202, 202]
    assert answers[1][1] == "true" and answers[0][2] == answers[1][2]
    assert len((await api("GET", "/capsules"))["capsules"]) == 1


async def test_a_capsule_can_be_waited_for(town: Town) -> None:
    made = await make(town.one, template(one(), initContainers=[one("true")]), None)
    waited = await town.one("GET", f"/capsules/{made['uuid']}?wait=Running,Stopped&timeout=5")
    assert (waited["status"], states(waited)) == ("Running", ["Stopped", "Running"])
    assert (await town.one("DELETE", "/capsules/web")).status == 204
    assert (await town.one("GET", f"/capsules/{made['uuid']}?wait=Deleted&timeout=5")).status == 404


async def test_what_happens_to_a_capsule_is_told_as_events(town: Town) -> None:
    made = await make(town.one, template(one(), one()))
    town.cloud.runtime.slow("stop", 0.5)
    for _ in range(3):
        # Asked again while it goes, nothing is asked anew.
        assert (await town.one("DELETE", "/capsules/web")).status == 204
    await until(town.one, "web", None)
    told = (await town.one("GET", f"/events?container={made['uuid']}"))["events"]
    assert [(one["kind"], one["verb"]) for one in told if one["verb"]] == [("create", "create"), ("delete", "delete")]
    assert "Running" in [one["status"] for one in told]
    assert told[-1]["kind"] == "gone"


async def test_capsules_and_containers_do_not_see_each_other(town: Town) -> None:
    shown = await make(town.one, template())
    nested = shown["containers"][0]
    container = await town.one.run("alone", *LASTS)
    for ref in (shown["uuid"], "web", nested["uuid"], nested["name"]):
        assert (await town.one("GET", f"/containers/{ref}")).error == (404, "container.container-not-found")
        assert (await town.one("POST", f"/containers/{ref}/stop")).error == (404, "container.container-not-found")
        assert (await town.one("GET", f"/containers/{ref}/logs")).error == (404, "container.container-not-found")
    for ref in (container, "alone"):
        for method in ("GET", "DELETE"):
            assert (await town.one(method, f"/capsules/{ref}")).error == (404, "container.capsule-not-found")
    assert [one["uuid"] for one in (await town.one("GET", "/containers"))["containers"]] == [container]
    assert [one["uuid"] for one in (await town.one("GET", "/capsules"))["capsules"]] == [shown["uuid"]]
    # Neither is a place to begin a page of the other.
    assert (await town.one("GET", f"/containers?marker={shown['uuid']}")).status == 404
    assert (await town.one("GET", f"/capsules?marker={container}")).error == (404, "container.capsule-not-found")


async def test_a_name_that_several_capsules_have_asks_for_the_id(town: Town) -> None:
    for _ in range(2):
        await make(town.one, template())
    answer = await town.one("GET", "/capsules/web")
    assert answer.status == 409
    assert "use the capsule uuid" in str(answer.body)


async def test_a_list_of_capsules_is_walked_by_its_next(town: Town) -> None:
    for name in ("one", "two", "three"):
        await make(town.one, template(name=name), None)
    for query, order in (("", ["one", "two", "three"]), ("&sort_key=name&sort_dir=desc", ["two", "three", "one"])):
        names, page = [], f"/capsules?limit=2&unknown=ignored{query}"
        while page:
            reply = await town.one("GET", page)
            names.append([one["name"] for one in reply["capsules"]])
            page = reply["next"]
        assert names == [order[:2], order[2:]]
    assert all("links" in one for one in reply["capsules"])
    for bad in ("limit=0", "sort_key=token", "sort_dir=up", "all_projects=maybe"):
        assert (await town.one("GET", f"/capsules?{bad}")).status == 400
    assert (await town.one("GET", "/capsules?marker=nobody")).error == (404, "container.capsule-not-found")
    assert (await town.one("GET", "/capsules?sort_key=host")).error == (403, "container.policy-not-authorized")


async def test_up_to_1_31_some_fields_have_other_names(town: Town) -> None:
    asked = template() | {"metadata": {"name": "web", "labels": {"a": "b"}}}
    newer = (await make(town.one, asked, "Running", version="container 1.31")).body
    older = (await town.one("GET", "/capsules/web", version="container 1.31")).body
    zun = (await town.one("GET", "/capsules/web", version="container 1.32")).body
    assert older["meta_name"] == zun["name"] == "web"
    assert older["meta_labels"] == zun["labels"] == {"a": "b"}
    assert (older["restart_policy"], zun["restart_policy"]) == ("always", {"Name": "always", "MaximumRetryCount": "0"})
    constants = {"volumes_info": {}, "containers_uuids": [], "init_containers_uuids": [], "capsule_version": ""}
    only_older = {"meta_name", "meta_labels", *constants}
    assert {name: older[name] for name in constants} == constants
    assert set(older) - set(zun) == only_older and set(zun) - set(older) == {"name", "labels"}
    assert set(newer) - set(zun) == {"task_state", "deadline", "published_ports"}
    assert set(newer["containers"][0]) - set(zun["containers"][0]) >= {"exit_code", "health"}
    listed = (await town.one("GET", "/capsules", version="container 1.1"))["capsules"]
    assert set(listed[0]) == set(older)


async def test_only_admins_see_on_which_host_a_capsule_is(town: Town) -> None:
    shown = await make(town.one, template())
    assert "host" not in shown.body and "host" not in shown["containers"][0]
    seen = await town.admin("GET", f"/capsules/{shown['uuid']}")
    assert (seen["host"], seen["containers"][0]["host"]) == ("here", "here")


async def test_where_names_are_unique_capsules_and_containers_share_them(tmp_path: Path) -> None:
    async with cloud(tmp_path, unique_names="project") as there:
        await there.containers.create(caller(), request(), alone(container(name="Web")))

        async def make(name: str) -> Capsule:
            spec = CapsuleSpec(containers=(container(),), desired=Desired.RUNNING)
            return await there.capsules.create(caller(), request(), CapsuleId(str(uuid.uuid4())), spec, name=name)

        with pytest.raises(errors.Conflict, match="A container with name web already exists"):
            await make("web")
        await make("shop")
        with pytest.raises(errors.Conflict, match="already exists"):
            await there.containers.create(caller(), request(), alone(container(name="shop")))
        # Those without a name have none in common.
        await make("")
        await make("")


STRANGERS: Mapping[tuple[str, str], Any] = {
    # Every route of capsules, as somebody of another project would try it.
    ("POST", "/capsules"): {"template": template(name="other")},
    ("GET", "/capsules"): None,
    ("GET", "/capsules/{capsule}"): None,
    ("DELETE", "/capsules/{capsule}"): None,
}


def test_the_table_of_strangers_names_every_route_of_capsules() -> None:
    assert set(STRANGERS) == {(one.method, one.path) for one in ROUTES if one.path.startswith("/capsules")}


async def test_a_stranger_cannot_see_name_or_delete_a_capsule_by_any_route(town: Town) -> None:
    shown = await make(town.one, template())
    for (method, route), body in STRANGERS.items():
        if "{capsule}" not in route:
            continue
        answers = set()
        for ref in (shown["uuid"], "web", "nobody"):
            answer = await town.two(method, route.replace("{capsule}", ref), body)
            assert answer.error == (404, "container.capsule-not-found")
            answers.add(str(answer.body).replace(ref, ""))
        # Not even the words of the refusal tell that there is something.
        assert len(answers) == 1
    assert (await town.two("GET", "/capsules"))["capsules"] == []
    assert (await town.two("GET", f"/capsules?marker={shown['uuid']}")).status == 404
    for path in ("/capsules?all_projects=true", f"/capsules/{shown['uuid']}?all_projects=1"):
        assert (await town.two("GET", path)).error == (403, "container.policy-not-authorized")
    for flag in ("true", "1"):
        refused = await town.two("DELETE", f"/capsules/{shown['uuid']}?all_projects={flag}")
        assert refused.error == (403, "container.policy-not-authorized")
    assert (await town.one("GET", "/capsules/web"))["status"] == "Running"


async def test_an_admin_finds_the_capsules_of_every_project(town: Town) -> None:
    refs = {(await make(api, template()))["uuid"] for api in (town.one, town.two)}
    assert {one["uuid"] for one in (await town.admin("GET", "/capsules?all_projects=True"))["capsules"]} == refs
    assert (await town.admin("GET", "/capsules"))["capsules"] == []
    for ref in refs:
        assert (await town.admin("GET", f"/capsules/{ref}?all_projects=False")).status == 200
        assert (await town.admin("DELETE", f"/capsules/{ref}?all_projects=True")).status == 204
        await until(town.admin, ref, None)
