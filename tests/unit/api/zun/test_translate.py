"""What was asked for becomes a container and a query of the model."""

from dataclasses import replace
from typing import Any

import pytest

from higgins import errors
from higgins.api.zun import forms, translate, values
from higgins.api.zun.microversion import MAX, Version
from higgins.model.capsule import (
    CapsuleSpec,
    Container,
    ContainerPort,
    Desired,
    Healthcheck,
    PullPolicy,
    Resources,
    RestartName,
    RestartPolicy,
)
from higgins.model.ids import CapsuleId, ContainerId, RegistryId
from higgins.model.network import Published
from higgins.model.query import SORT_KEYS, Query

READ = values.reader(values.Bounds())
LONG = {f"name-{number}": "x" * 1024 for number in range(128)}
ID = ContainerId("0bb92283-1111-4222-8333-444455556666")


def container(version: Version = MAX, defaults: Resources | None = None, **asked) -> Container:
    form = forms.CREATE.read({}, {"image": "nginx", **asked}, version, READ)
    (made,) = translate.spec(form, ID, defaults or Resources()).containers
    return made


def query(longest: int = 1000, **asked) -> Query:
    return translate.query(forms.LIST.read(asked, {}, MAX, READ), longest)


def test_an_image_alone_makes_a_plain_container():
    assert container() == Container(id=ID, name="", image="nginx", image_driver="docker")


def test_everything_that_clients_always_send_changes_nothing():
    sent: dict[str, Any] = {
        "environment": {},
        "labels": {},
        "hints": {},
        "nets": [],
        "mounts": [],
        "command": [],
        "auto_remove": False,
        "security_groups": [],
    }
    assert container(**sent) == container()


def test_what_was_asked_for_is_what_is_made():
    made = container(
        name="web",
        command=["nginx", "-g", "daemon off;"],
        entrypoint=["/bin/sh"],
        cpu="0.5",
        memory="256",
        disk=20,
        environment={"A": "1"},
        labels={"app": 1},
        workdir="/srv",
        hostname="web",
        interactive=True,
        tty="true",
        image_pull_policy="IfNotPresent",
        restart_policy={"Name": "on-failure", "MaximumRetryCount": "2"},
    )
    assert made == Container(
        id=ID,
        name="web",
        image="nginx",
        image_driver="docker",
        pull=PullPolicy.IF_NOT_PRESENT,
        command=("nginx", "-g", "daemon off;"),
        entrypoint=("/bin/sh",),
        environment={"A": "1"},
        labels={"app": "1"},
        workdir="/srv",
        hostname="web",
        tty=True,
        interactive=True,
        limits=Resources(cpu=0.5, memory=256, disk=20),
        restart=RestartPolicy(name=RestartName.ON_FAILURE, maximum=2),
    )


def test_a_container_holds_plain_values_that_can_be_stored():
    made = container(cpu="0.5", memory="256", disk="20", labels={"a": 1}, command=["a"], tty=True)
    assert (type(made.limits.cpu), type(made.limits.memory), type(made.limits.disk)) == (float, int, int)
    assert made.labels is not None
    assert made.command is not None
    assert {type(made.labels["a"]), type(made.command[0])} == {str}
    assert type(made.tty) is bool


def test_what_was_not_asked_for_is_the_deployments_default():
    defaults = Resources(cpu=1.0, memory=512, disk=10)
    assert container(defaults=defaults).limits == defaults
    assert container(defaults=defaults, memory=64, cpu=None).limits == Resources(cpu=1.0, memory=64, disk=10)


@pytest.mark.parametrize(
    ("given", "words"), [('"echo" "a b"', ("echo", "a b")), ("sleep 10", ("sleep", "10")), ("", None), (None, None)]
)
def test_an_old_clients_command_is_split_as_a_shell_does(given, words):
    assert container(Version(1, 19), command=given).command == words


def test_a_quotation_without_end_is_refused():
    with pytest.raises(errors.Invalid, match=r"'command'.*No closing quotation"):
        container(Version(1, 1), command='echo "a')


@pytest.mark.parametrize("field", ["command", "entrypoint"])
@pytest.mark.parametrize("words", [["x" * 9000], ["é" * 5000], ["sh", "-c", "x" * 140_000]])
def test_words_that_no_host_could_run_are_refused(field, words):
    with pytest.raises(errors.Invalid, match=f"'{field}'.*longer than"):
        container(**{field: words})


def test_a_long_script_is_no_long_name_of_a_program():
    assert container(command=["sh", "-c", "x" * 100_000]).command == ("sh", "-c", "x" * 100_000)


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        (None, None),
        ({"Name": "no", "MaximumRetryCount": "7"}, RestartPolicy(name=RestartName.NO)),
        ({"Name": "always"}, RestartPolicy(name=RestartName.ALWAYS)),
        ({"Name": "always", "MaximumRetryCount": "0"}, RestartPolicy(name=RestartName.ALWAYS)),
        ({"Name": "unless-stopped", "MaximumRetryCount": None}, RestartPolicy(name=RestartName.UNLESS_STOPPED)),
        ({"Name": "on-failure", "MaximumRetryCount": 3}, RestartPolicy(name=RestartName.ON_FAILURE, maximum=3)),
    ],
)
def test_a_restart_policy_counts_only_failures(given, policy):
    assert container(restart_policy=given).restart == policy


@pytest.mark.parametrize("name", ["always", "unless-stopped"])
def test_a_count_makes_no_sense_where_every_end_is_followed_by_a_start(name):
    with pytest.raises(errors.Invalid, match=f"maximum retry count not valid with restart policy of {name}"):
        container(restart_policy={"Name": name, "MaximumRetryCount": "3"})


def test_a_list_without_parameters_is_a_full_page_in_order_of_creation():
    assert query() == Query(sort_key="id", descending=False, limit=1000)


def test_a_list_takes_filters_order_and_page():
    marker = CapsuleId("0bb92283-1111-4222-8333-444455556666")
    asked = query(
        status=["Running", "Stopped"],
        name="web",
        auto_remove="YES",
        limit="5",
        marker=marker,
        sort_key="name",
        sort_dir="desc",
        all_projects="t",
        expand="x",
    )
    assert asked == Query(
        filters={"name": ("web",), "status": ["Running", "Stopped"], "auto_remove": ("true",)},
        sort_key="name",
        descending=True,
        limit=5,
        marker=marker,
        all_projects=True,
    )


def test_no_page_is_longer_than_the_deployment_allows():
    assert query(longest=100, limit="5000").limit == 100
    assert query(longest=100).limit == 100


def test_every_sort_key_of_the_model_can_be_asked_for():
    assert [query(sort_key=key).sort_key for key in SORT_KEYS] == list(SORT_KEYS)


@pytest.mark.parametrize("key", ["websocket_token", "container_id", "spec", "1; DROP TABLE"])
def test_other_sort_keys_are_refused(key):
    with pytest.raises(errors.Invalid, match="is an invalid field for sorting") as refusal:
        query(sort_key=key)
    assert refusal.value.name == "invalid-parameter-value"


def test_a_sort_direction_is_up_or_down():
    with pytest.raises(errors.Invalid, match=r"'sort_dir'.*asc or desc"):
        query(sort_dir="sideways")


def test_a_map_that_would_burden_every_list_is_refused_by_its_name():
    with pytest.raises(errors.Invalid, match="environment"):
        container(environment=LONG)
    with pytest.raises(errors.Invalid, match="labels"):
        container(labels=LONG)


def test_hints_that_would_burden_every_list_are_refused():
    form = forms.CREATE.read({}, {"image": "nginx", "hints": LONG}, MAX, READ)
    with pytest.raises(errors.Invalid, match="hints"):
        translate.spec(form, ID, Resources())


def spec(version: Version = MAX, **asked) -> CapsuleSpec:
    form = forms.CREATE.read({}, {"image": "nginx", **asked}, version, READ)
    return translate.spec(form, ID, Resources(), RegistryId("r1"))


def test_what_concerns_the_whole_stands_beside_its_container():
    made = spec(
        run="yes",
        auto_remove=True,
        auto_heal="true",
        runtime="runc",
        availability_zone="nova",
        host="here",
        hints={"label:disk": "fast"},
    )
    assert replace(made, containers=()) == CapsuleSpec(
        containers=(),
        desired=Desired.RUNNING,
        auto_remove=True,
        auto_heal=True,
        runtime="runc",
        availability_zone="nova",
        host="here",
        hints={"label:disk": "fast"},
    )
    assert made.containers[0].registry == "r1"


def test_an_image_alone_is_created_and_not_run():
    assert replace(spec(), containers=()) == CapsuleSpec(containers=(), desired=Desired.CREATED)


@pytest.mark.parametrize(
    ("given", "check"),
    [
        (None, None),
        ({}, None),
        ({"cmd": None, "interval": None}, None),
        ({"cmd": "true"}, Healthcheck(test="true")),
        (
            {"cmd": "wget -q localhost", "interval": 30, "retries": 3, "timeout": 10},
            Healthcheck(test="wget -q localhost", interval=30, retries=3, timeout=10),
        ),
    ],
)
def test_a_health_check_is_what_was_asked_for(given, check):
    assert container(healthcheck=given).healthcheck == check


@pytest.mark.parametrize("numbers", [{"interval": 30}, {"retries": 0}, {"cmd": None, "timeout": 1}])
def test_a_health_check_of_numbers_only_is_refused_by_the_name_of_the_field(numbers):
    with pytest.raises(errors.Invalid, match=r"'healthcheck'.*needs cmd"):
        container(healthcheck=numbers)


def opened(**asked: Any) -> CapsuleSpec:
    return translate.spec(forms.CREATE.read({}, {"image": "nginx", **asked}, MAX, READ), ID, Resources())


def test_exposed_ports_are_of_tcp_unless_they_say_otherwise() -> None:
    exposed = opened(exposed_ports={"80/tcp": {}, "53/udp": {}, "443": None, "443/tcp": {}}).exposed
    assert exposed == (
        ContainerPort(number=80),
        ContainerPort(number=53, protocol="udp"),
        ContainerPort(number=443),
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("80/sctp", "value sctp is an invalid protocol"),
        ("http/tcp", "value http is invalid as publish port."),
        ("0", "value 0 is invalid as publish port."),
        ("65536/udp", "value 65536 is invalid as publish port."),
        ("\u0663", "is invalid as publish port."),
        ("80-90/tcp", "value 80-90 is invalid as publish port."),
        ("", "value  is invalid as publish port."),
    ],
)
def test_what_is_no_port_cannot_be_exposed(given: str, said: str) -> None:
    with pytest.raises(errors.Invalid, match="'exposed_ports'") as refusal:
        opened(exposed_ports={given: {}})
    assert said in refusal.value.message


def test_published_ports_are_those_that_were_asked_for_each_once() -> None:
    asked = [{"port": 80}, {"port": "53", "protocol": "udp", "host_port": 5353}, {"port": 80, "protocol": "tcp"}]
    assert opened(published_ports=asked).published == (
        Published(host_port=0, port=80),
        Published(host_port=5353, port=53, protocol="udp"),
    )


def test_one_port_of_a_host_cannot_lead_to_two() -> None:
    with pytest.raises(errors.Invalid, match=r"'published_ports'.*8080/tcp.*leads to one port only"):
        opened(published_ports=[{"port": 80, "host_port": 8080}, {"port": 81, "host_port": 8080}])
    udp = {"port": 80, "host_port": 8080, "protocol": "udp"}
    assert len(opened(published_ports=[{"port": 80, "host_port": 8080}, udp]).published) == 2
