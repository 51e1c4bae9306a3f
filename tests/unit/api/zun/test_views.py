"""A container is shown in the contract's fields, types and order."""

from dataclasses import replace

import msgspec
import pytest

from higgins.api.zun import views
from higgins.api.zun.microversion import MAX, Version
from higgins.model.action import Action, Outcome, Step
from higgins.model.capsule import (
    Assignment,
    Capsule,
    CapsuleSpec,
    CapsuleStatus,
    Condition,
    Container,
    ContainerPort,
    ContainerStatus,
    Desired,
    Health,
    Healthcheck,
    Kind,
    Observation,
    Progress,
    PullPolicy,
    Resources,
    RestartName,
    RestartPolicy,
    Stage,
)
from higgins.model.ids import (
    CapsuleId,
    ContainerId,
    NetworkId,
    PortId,
    ProjectId,
    RegistryId,
    RequestId,
    SecurityGroupId,
    UserId,
)
from higgins.model.live import ExecResult
from higgins.model.network import Port, Published
from higgins.model.query import Query

ID = "0bb92283-1111-4222-8333-444455556666"
BORN = 1763740125.4977
NOW = BORN + 60
ADMINS = frozenset({"host", "runtime", "privileged", "image_pull_policy"})
ZUN, NEWEST = Version(1, 40), MAX
NEW = views.unknown(ZUN)

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
PORT = Port(
    id=PortId("p1"),
    network_id=NetworkId("blue"),
    mac="02:00:00:00:00:02",
    addresses=("10.88.0.2",),
    subnet="10.88.0.0/24",
    gateway="10.88.0.1",
)


def address(addr: str, port: str, network: str) -> dict:
    return {"addr": addr, "version": 4, "port": port, "subnet_id": network, "preserve_on_delete": False}


def shown(capsule: Capsule, **how) -> dict:
    body: dict = msgspec.json.decode(msgspec.json.encode(views.container(capsule, **{"now": NOW, **how})))
    return body


def test_the_answer_to_a_creation_is_the_contracts_to_the_field():
    body = shown(CAPSULE, hidden=ADMINS | NEW, address="http://HOST", fresh=True)
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
        **{name: [] for name in ("command", "entrypoint", "ports", "security_groups", "published_ports", "mounts")},
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


def test_the_host_name_is_what_was_asked_for_or_that_of_a_sandbox_once_it_is_known():
    sandboxed = replace(RUNNING.spec, sandbox=ContainerId("s"))
    assert shown(replace(RUNNING, spec=sandboxed))["hostname"] == "0bb922831111"
    (status,) = RUNNING.status.containers.values()
    assert status.observed is not None
    waiting = replace(status, observed=replace(status.observed, stage=Stage.CREATED, started_at=None))
    created = replace(RUNNING, spec=sandboxed, status=replace(RUNNING.status, containers={ASKED.id: waiting}))
    assert shown(created)["hostname"] is None
    named = replace(sandboxed, containers=(replace(ASKED, hostname="full"),))
    assert shown(replace(created, spec=named))["hostname"] == "full"


def test_addresses_stand_under_the_networks_that_they_are_on():
    second = replace(PORT, id=PortId("p2"), addresses=("10.88.0.9",), interface="eth1")
    red = replace(PORT, id=PortId("p3"), network_id=NetworkId("red"), addresses=("10.88.1.2",))
    body = shown(replace(RUNNING, assignment=Assignment(epoch=1, ports=(PORT, second, red))))
    assert body["addresses"] == {
        "blue": [address("10.88.0.2", "p1", "blue"), address("10.88.0.9", "p2", "blue")],
        "red": [address("10.88.1.2", "p3", "red")],
    }


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


def test_the_last_page_of_a_list_has_no_next():
    assert views.following(Query(), None, "http://HOST") is None


def test_the_next_page_is_asked_for_with_everything_that_was_asked_of_this_one():
    query = Query(
        filters={"status": ("Running", "Stopped"), "name": ("a b",)}, descending=True, limit=1, all_projects=True
    )
    assert views.following(query, CapsuleId(ID), "http://HOST") == (
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
    assert msgspec.to_builtins(views.action(ACTION, ZUN, telling=True)) == {
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
@pytest.mark.parametrize("version", [ZUN, NEWEST])
def test_an_action_that_is_over_says_how_it_ended(version, outcome, message, result):
    over = replace(ACTION, finished_at=BORN + 1, outcome=outcome, message="no such file")
    record = views.action(over, version, telling=False)
    assert (record.message, record.finish_time) == (message, "2025-11-21T15:48:46.497700")
    assert [(event.result, event.traceback) for event in record.events or ()] == [(result, None)]


STEPS = (
    Step(name="create", started_at=BORN, finished_at=BORN + 1, outcome=Outcome.ERROR, message="no such file"),
    Step(name="pull", started_at=BORN - 1, finished_at=BORN, outcome=Outcome.SUCCESS),
)


def test_zun_knows_one_event_of_an_action_whatever_its_steps_were():
    over = replace(ACTION, finished_at=BORN + 1, outcome=Outcome.ERROR, message="no such file", steps=STEPS)
    record = msgspec.to_builtins(views.action(over, ZUN, telling=True))
    assert [one["event"] for one in record["events"]] == ["compute__do_container_start"]
    assert "message" not in record["events"][0]
    assert "deadline" not in record


def test_from_1_41_on_the_events_of_an_action_are_its_steps_with_what_they_say():
    record = views.action(replace(ACTION, deadline=BORN + 60, steps=STEPS), NEWEST, telling=False)
    assert [(one.event, one.result, one.message) for one in record.events or ()] == [
        ("create", "Error", "no such file"),
        ("pull", "Success", None),
    ]
    assert record.deadline == "2025-11-21T15:49:45.497700"


@pytest.mark.parametrize("version", [ZUN, NEWEST])
def test_only_whom_policy_lets_reads_what_operators_read_of_a_failure(version):
    failed = replace(ACTION, finished_at=BORN, outcome=Outcome.ERROR, message="no such file", steps=STEPS[:1])
    for telling, told in ((False, None), (True, "no such file")):
        record = views.action(failed, version, telling=telling)
        assert [event.traceback for event in record.events or ()] == [told]


@pytest.mark.parametrize("version", [ZUN, NEWEST])
def test_a_list_of_actions_is_without_their_steps(version):
    listed = msgspec.to_builtins(views.actions([replace(ACTION, steps=STEPS)], version))
    assert list(listed) == ["containerActions"]
    assert "events" not in listed["containerActions"][0]
    assert ("deadline" in listed["containerActions"][0]) is (version is NEWEST)


def test_zuns_versions_lack_the_fields_that_came_after_them():
    assert not NEW & shown(RUNNING, hidden=views.unknown(ZUN)).keys()
    assert shown(RUNNING, hidden=views.unknown(NEWEST)).keys() >= NEW
    assert {
        *("health", "exit_code", "started_at", "finished_at", "desired_state", "progress", "deadline"),
        *("published_ports", "mounts"),
    } == NEW


def test_a_published_port_has_the_hosts_number_as_soon_as_there_is_one():
    wanted = (Published(host_port=0, port=80), Published(host_port=53, port=53, protocol="udp"))
    waiting = replace(CAPSULE, spec=replace(CAPSULE.spec, published=wanted, exposed=(ContainerPort(number=443),)))
    assert shown(waiting)["published_ports"] == [
        {"port": 80, "protocol": "tcp", "host_port": None},
        {"port": 53, "protocol": "udp", "host_port": 53},
    ]
    placed = replace(waiting, assignment=Assignment(published=(replace(wanted[0], host_port=30000), wanted[1])))
    assert [one["host_port"] for one in shown(placed)["published_ports"]] == [30000, 53]
    assert shown(placed)["ports"] == [443, 80, 53]


def test_security_groups_are_shown_by_their_ids():
    groups = (SecurityGroupId("g1"), SecurityGroupId("g2"))
    assert shown(replace(CAPSULE, spec=replace(CAPSULE.spec, security_groups=groups)))["security_groups"] == [
        "g1",
        "g2",
    ]


def seen(**how) -> Capsule:
    status = CapsuleStatus(
        generation=1, settled=True, containers={ContainerId(ID): ContainerStatus(observed=replace(SEEN, **how))}
    )
    return replace(RUNNING, status=status)


def test_what_runs_shows_its_health_and_no_end():
    health = Health(condition=Condition.UNHEALTHY, failures=4, output="refused")
    body = shown(seen(health=health, finished_at=BORN - 60, exit_code=1))
    assert body["health"] == {"status": "unhealthy", "failing_streak": 4, "output": "refused"}
    assert (body["exit_code"], body["finished_at"]) == (None, None)
    assert body["started_at"] == "2025-11-21 13:49:45.497700"
    assert body["status_detail"] == "Up 2 hours (unhealthy)"


def test_what_has_ended_shows_its_exit_code_and_no_health():
    health = Health(condition=Condition.HEALTHY)
    body = shown(seen(stage=Stage.EXITED, finished_at=NOW, exit_code=3, health=health))
    assert (body["exit_code"], body["health"]) == (3, None)
    assert body["finished_at"] == "2025-11-21 15:49:45.497700"


def test_what_is_pending_shows_what_is_wanted_how_far_it_is_and_until_when():
    pulling = CapsuleStatus(generation=1, progress=Progress(layers=5, layers_done=2, size=9_000_000, done=4_500_000))
    body = shown(replace(CAPSULE, status=pulling, deadline=BORN + 600))
    assert body["desired_state"] == "running"
    assert body["progress"] == {"layers": 5, "layers_done": 2, "size": 9_000_000, "done": 4_500_000}
    assert body["deadline"] == "2025-11-21 15:58:45.497700"
    assert body["status_detail"] == "Pulling 2 of 5 layers, 4.5 of 9.0 MB"


def test_a_health_check_is_shown_as_it_was_sent_but_for_the_name_of_its_command():
    asked = replace(ASKED, healthcheck=Healthcheck(test="true", interval=5, timeout=2), registry=RegistryId("r1"))
    body = shown(replace(CAPSULE, spec=replace(CAPSULE.spec, containers=(asked,))))
    assert body["healthcheck"] == {"test": "true", "interval": 5, "timeout": 2}
    assert body["registry_id"] == "r1"
