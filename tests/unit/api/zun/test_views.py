"""A container is shown in the contract's fields, types and order."""

from dataclasses import replace
from functools import partial

import msgspec
import pytest

from higgins.api.zun import views
from higgins.model.action import Action, Outcome, Step
from higgins.model.capsule import (
    Assignment,
    Capsule,
    CapsuleSpec,
    CapsuleStatus,
    Container,
    ContainerStatus,
    Desired,
    Kind,
    Observation,
    PullPolicy,
    Resources,
    RestartName,
    RestartPolicy,
    Stage,
)
from higgins.model.ids import CapsuleId, ContainerId, ProjectId, RequestId, UserId
from higgins.model.live import ExecResult
from higgins.model.query import Page, Query

ID = "0bb92283-1111-4222-8333-444455556666"
BORN = 1763740125.4977
NOW = BORN + 60
ADMINS = frozenset({"host", "runtime", "privileged", "image_pull_policy"})

ASKED = Container(
    id=ContainerId(ID),
    name="web",
    image="nginx",
    image_driver="docker",
    limits=Resources(cpu=0.5, memory=256),
    labels={"app": "1"},
    restart=RestartPolicy(name=RestartName.ON_FAILURE, maximum=2),
)
CAPSULE = Capsule(
    id=CapsuleId(ID),
    project_id=ProjectId("p1"),
    user_id=UserId("u1"),
    name="web",
    kind=Kind.CONTAINER,
    created_at=BORN,
    spec=CapsuleSpec(containers=(ASKED,), desired=Desired.RUNNING),
)
SEEN = Observation(
    container_id=ContainerId(ID),
    capsule_id=CapsuleId(ID),
    epoch=1,
    stage=Stage.RUNNING,
    started_at=NOW - 7200,
    hostname="0bb922831111",
    ports=(80, 443),
    command=("nginx", "-g", "daemon off;"),
    entrypoint=("/entry.sh",),
)
RUNNING = replace(
    CAPSULE,
    updated_at=BORN + 1,
    host="node1",
    assignment=Assignment(epoch=1),
    status=CapsuleStatus(generation=1, settled=True, containers={ContainerId(ID): ContainerStatus(observed=SEEN)}),
)


def shown(capsule: Capsule, **how) -> dict:
    body: dict = msgspec.json.decode(msgspec.json.encode(views.container(capsule, **{"now": NOW, **how})))
    return body


def test_the_answer_to_a_creation_is_the_contracts_to_the_field():
    body = shown(CAPSULE, hidden=ADMINS, address="http://HOST", fresh=True)
    assert list(body.items()) == [
        ("uuid", ID),
        (
            "links",
            [
                {"href": f"http://HOST/v1/containers/{ID}", "rel": "self"},
                {"href": f"http://HOST/containers/{ID}", "rel": "bookmark"},
            ],
        ),
        ("name", "web"),
        ("project_id", "p1"),
        ("user_id", "u1"),
        ("image", "nginx"),
        ("cpu", 0.5),
        ("cpu_policy", "shared"),
        ("memory", "256"),
        ("command", None),
        ("status", "Creating"),
        ("status_reason", None),
        ("task_state", "container_creating"),
        ("environment", None),
        ("workdir", None),
        ("auto_remove", False),
        ("ports", None),
        ("hostname", None),
        ("labels", {"app": "1"}),
        ("addresses", None),
        ("restart_policy", {"Name": "on-failure", "MaximumRetryCount": "2"}),
        ("status_detail", None),
        ("interactive", False),
        ("tty", False),
        ("image_driver", "docker"),
        ("security_groups", None),
        ("disk", 0),
        ("auto_heal", False),
        ("healthcheck", None),
        ("registry_id", None),
        ("entrypoint", None),
        ("created_at", "2025-11-21 15:48:45.497700"),
        ("updated_at", None),
    ]


def test_what_was_not_given_is_empty_from_the_first_read_on():
    bare = replace(CAPSULE, spec=replace(CAPSULE.spec, containers=(replace(ASKED, labels=None, restart=None),)))
    empty = {name: value for name, value in shown(bare).items() if value in ([], {})}
    assert empty == {
        **{name: [] for name in ("command", "entrypoint", "ports", "security_groups")},
        **{name: {} for name in ("environment", "labels", "addresses", "restart_policy", "healthcheck")},
    }


def test_once_it_was_seen_the_effective_values_are_shown():
    body = shown(RUNNING)
    assert body["status"] == "Running"
    assert body["status_detail"] == "Up 2 hours"
    assert body["command"] == ["nginx", "-g", "daemon off;"]
    assert body["entrypoint"] == ["/entry.sh"]
    assert body["ports"] == [80, 443]
    assert body["hostname"] == "0bb922831111"
    assert body["updated_at"] == "2025-11-21 15:48:46.497700"


def test_links_stand_only_where_an_address_is_given():
    assert "links" not in shown(RUNNING)


def test_an_admin_reads_four_fields_more():
    chosen = replace(ASKED, pull=PullPolicy.ALWAYS, privileged=True)
    capsule = replace(RUNNING, spec=replace(RUNNING.spec, containers=(chosen,), runtime="runsc"))
    more = {"host": "node1", "runtime": "runsc", "privileged": True, "image_pull_policy": "always"}
    assert {name: value for name, value in shown(capsule).items() if name in ADMINS} == more
    assert not ADMINS & shown(capsule, hidden=ADMINS).keys()


def test_a_field_that_policy_withholds_is_not_there():
    assert "environment" not in shown(RUNNING, hidden=frozenset({"environment"}))


def test_times_have_a_space_and_no_offset():
    assert views.moment(0) == "1970-01-01 00:00:00"
    assert views.moment(0.25) == "1970-01-01 00:00:00.250000"


def page(query: Query, *, more: bool) -> views.ContainerList:
    found = Page(capsules=(RUNNING,), more=more)
    return views.page(found, query, now=NOW, hidden=lambda _: ADMINS, address="http://HOST")


def test_the_last_page_of_a_list_has_no_next():
    assert page(Query(), more=False).next is None


def test_the_next_page_is_asked_for_with_everything_that_was_asked_of_this_one():
    query = Query(
        filters={"status": ("Running", "Stopped"), "name": ("a b",)}, descending=True, limit=1, all_projects=True
    )
    assert page(query, more=True).next == (
        "http://HOST/v1/containers?status=Running&status=Stopped&name=a+b&all_projects=true"
        f"&sort_key=id&sort_dir=desc&limit=1&marker={ID}"
    )


def test_the_output_of_a_command_is_text_even_where_it_is_none():
    result = views.executed(ExecResult(output=b"caf\xc3\xa9 \xff", exit_code=3))
    assert msgspec.json.encode(result) == (
        '{"output":"caf\u00e9 \ufffd","exit_code":3,"exec_id":null,"proxy_url":null}'.encode()
    )


ACTION = Action(
    request_id=RequestId("req-1"),
    capsule_id=CapsuleId(ID),
    project_id=ProjectId("p1"),
    user_id=UserId("u1"),
    verb="start",
    generation=2,
    started_at=BORN,
)


def test_an_action_under_way_has_no_end_and_no_result():
    assert msgspec.to_builtins(views.action(ACTION, telling=True)) == {
        "action": "start",
        "container_uuid": ID,
        "request_id": "req-1",
        "user_id": "u1",
        "project_id": "p1",
        "start_time": "2025-11-21T15:48:45.497700",
        "finish_time": None,
        "message": None,
        "events": [
            {
                "event": "compute__do_container_start",
                "start_time": "2025-11-21T15:48:45.497700",
                "finish_time": None,
                "result": None,
                "traceback": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("outcome", "message", "result"), [(Outcome.SUCCESS, None, "Success"), (Outcome.ERROR, "Error", "Error")]
)
def test_an_action_that_is_over_says_how_it_ended(outcome, message, result):
    over = replace(ACTION, finished_at=BORN + 1, outcome=outcome, message="no such file")
    record = views.action(over, telling=False)
    assert (record.message, record.finish_time) == (message, "2025-11-21T15:48:46.497700")
    assert [(event.result, event.traceback) for event in record.events or ()] == [(result, None)]


def test_only_whom_policy_lets_reads_what_a_step_has_to_say():
    step = partial(Step, name="create", started_at=BORN, outcome=Outcome.ERROR, message="no such file")
    action = replace(ACTION, steps=(step(), step(name="start")))
    assert [event.traceback for event in views.action(action, telling=False).events or ()] == [None, None]
    assert [event.traceback for event in views.action(action, telling=True).events or ()] == ["no such file"] * 2
    assert [event.event for event in views.action(action, telling=True).events or ()] == [
        "compute__do_container_create",
        "compute__do_container_start",
    ]


def test_a_list_of_actions_is_without_their_steps():
    listed = msgspec.to_builtins(views.actions([replace(ACTION, steps=(Step(name="start", started_at=BORN),))]))
    assert list(listed) == ["containerActions"]
    assert "events" not in listed["containerActions"][0]
