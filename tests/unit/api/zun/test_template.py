"""A capsule's template: what each part of it means, and that a refusal names the place."""

import json
from typing import Any

import pytest

from higgins import errors
from higgins.api.zun import capsules, template, texts, values
from higgins.api.zun.microversion import MAX
from higgins.api.zun.template import CapsuleTemplate
from higgins.model.capsule import (
    CapsuleSpec,
    Container,
    ContainerPort,
    PullPolicy,
    Resources,
    RestartName,
    RestartPolicy,
)
from higgins.model.network import Published

ONE = {"image": "busybox"}


def whole(*containers: Any, **spec: Any) -> dict[str, Any]:
    """A template with these containers, and whatever else stands in its spec."""
    return {"kind": "capsule", "metadata": {}, "spec": {"containers": list(containers) or [ONE], **spec}}


def read(asked: Any, *, publishing: bool = True) -> CapsuleSpec:
    """What is asked for by a request with this template."""
    params = capsules.CREATE.read({}, {"template": asked}, MAX, values.reader(values.Bounds()))
    assert isinstance(params.template, CapsuleTemplate)
    return template.spec(params.template, "template", publishing=publishing)


def one(**asked: Any) -> Container:
    """The only container of a template, that says this of it."""
    return read(whole(ONE | asked)).containers[0]


def refused(asked: Any) -> str:
    with pytest.raises(errors.Invalid) as refusal:
        read(asked)
    assert refusal.value.name == "schema-validation-error"
    return refusal.value.message


C = "template.spec.containers[1]"
BAD: list[tuple[Any, str, str]] = [
    (5, "'template'", "Expected"),
    ([], "'template'", "Expected"),
    ({}, "'template.kind'", "is a required property"),
    ({"kind": "pod"}, "'template.kind'", "one of capsule, Capsule"),
    ({"kind": "capsule"}, "'template.metadata'", "is a required property"),
    ({"kind": "capsule", "metadata": {}}, "'template.spec'", "is a required property"),
    ({"kind": "capsule", "metadata": {}, "spec": {}}, "'template.spec.containers'", "is a required property"),
    (whole() | {"metadata": None}, "'template.metadata'", "Expected `object`"),
    (whole() | {"metadata": {"name": "a"}}, "'template.metadata.name'", "length >= 2"),
    (whole() | {"metadata": {"name": "a b"}}, "'template.metadata.name'", "regex"),
    (whole() | {"metadata": {"labels": []}}, "'template.metadata.labels'", "Expected"),
    (whole() | {"metadata": {"labels": {"app": {}}}}, "'template.metadata.labels.app'", "must be a string"),
    (whole() | {"metadata": {"annotations": {"": "x"}}}, "'template.metadata.annotations'", "As a key"),
    (whole() | {"capsuleVersion": "v1"}, "'template.capsuleVersion'", "one of beta, Beta"),
    (whole() | {"nets": []}, "'template.nets'", "known here are kind, metadata, spec, capsuleVersion"),
    (whole() | {"restartPolicy": "always"}, "'template.restartPolicy'", "one of Always, OnFailure, Never"),
    (whole() | {"availabilityZone": ""}, "'template.availabilityZone'", "length >= 1"),
    (whole(restartPolicy="Sometimes"), "'template.spec.restartPolicy'", "one of Always, OnFailure, Never"),
    ({"kind": "capsule", "metadata": {}, "spec": {"containers": []}}, "'template.spec.containers'", "length >= 1"),
    (whole(*[ONE] * 65), "'template.spec.containers'", "length <= 64"),
    (whole(initContainers=[ONE] * 65), "'template.spec.initContainers'", "length <= 64"),
    (whole(initContainers={}), "'template.spec.initContainers'", "Expected"),
    (whole(initContainers=[{}]), "'template.spec.initContainers[0].image'", "is a required property"),
    (whole(initContainers=[ONE, ONE | {"tty": "x"}]), "'template.spec.initContainers[1].tty'", "true or false"),
    (whole(volumes=[{"name": "v"}]), "'template.spec.volumes[0].cinder'", "is a required property"),
    (whole(volumes=[{"cinder": {"size": 1}}]), "'template.spec.volumes[0].name'", "is a required property"),
    (whole(volumes=[{"name": "v", "cinder": {"size": "x"}}]), "'template.spec.volumes[0].cinder.size'", "whole number"),
    (whole(ONE, 5), f"'{C}'", "Expected `object`"),
    (whole(ONE, {}), f"'{C}.image'", "is a required property"),
    (whole(ONE, {"image": 7}), f"'{C}.image'", "Expected `str`"),
    (whole(ONE, {"image": "x"}), f"'{C}.image'", "length >= 2"),
    (whole(ONE, {"image": "NGINX!!"}), f"'{C}.image'", "lower-case"),
    (whole(ONE, ONE | {"imagee": "x"}), f"'{C}.imagee'", "known here are image, name, command"),
    (whole(ONE, ONE | {"name": "-"}), f"'{C}.name'", "length >= 2"),
    (whole(ONE, ONE | {"command": "sleep 5"}), f"'{C}.command'", "Expected `array"),
    (whole(ONE, ONE | {"command": ["sleep", []]}), f"'{C}.command[1]'", "must be a string"),
    (whole(ONE, ONE | {"command": ["x" * 9000]}), f"'{C}.command'", "longer than 8192 bytes"),
    (whole(ONE, ONE | {"args": ["x" * 9000]}), f"'{C}.args'", "longer than 8192 bytes"),
    (whole(ONE, ONE | {"env": ["A=b"]}), f"'{C}.env'", "Expected"),
    (whole(ONE, ONE | {"env": {"A": "b", "PORT": 80}}), f"'{C}.env.PORT'", "Expected `str`"),
    (whole(ONE, ONE | {"env": {"A=B": "c"}}), f"'{C}.env'", "As a key"),
    (whole(ONE, ONE | {"env": {"A": "x" * 131073}}), f"'{C}.env'", "longer than 131072 bytes"),
    (whole(ONE, ONE | {"labels": {"app": None}}), f"'{C}.labels.app'", "must be a string"),
    (whole(ONE, ONE | {"workDir": 1}), f"'{C}.workDir'", "Expected `str"),
    (whole(ONE, ONE | {"imagePullPolicy": "often"}), f"'{C}.imagePullPolicy'", "one of never, always"),
    (whole(ONE, ONE | {"stdin": "yes"}), f"'{C}.stdin'", "true or false"),
    (whole(ONE, ONE | {"resources": []}), f"'{C}.resources'", "Expected"),
    (whole(ONE, ONE | {"resources": {"limits": {}}}), f"'{C}.resources.limits'", "known here are requests"),
    (whole(ONE, ONE | {"resources": {"requests": {"disk": 1}}}), f"'{C}.resources.requests.disk'", "cpu, memory"),
    (whole(ONE, ONE | {"resources": {"requests": {"cpu": "500m"}}}), f"'{C}.resources.requests.cpu'", "0.1 to 16"),
    (whole(ONE, ONE | {"resources": {"requests": {"cpu": 99}}}), f"'{C}.resources.requests.cpu'", "0.1 to 16"),
    (whole(ONE, ONE | {"resources": {"requests": {"memory": "64Mi"}}}), f"'{C}.resources.requests.memory'", "a unit"),
    (whole(ONE, ONE | {"ports": {}}), f"'{C}.ports'", "Expected"),
    (whole(ONE, ONE | {"ports": [{}]}), f"'{C}.ports[0].containerPort'", "is a required property"),
    (whole(ONE, ONE | {"ports": [{"containerPort": 0}]}), f"'{C}.ports[0].containerPort'", "1 to 65535"),
    (whole(ONE, ONE | {"ports": [{"containerPort": 80, "hostPort": "x"}]}), f"'{C}.ports[0].hostPort'", "whole number"),
    (whole(ONE, ONE | {"ports": [{"containerPort": 80, "protocol": "SCTP"}]}), f"'{C}.ports[0].protocol'", "TCP, UDP"),
    (whole(ONE, ONE | {"ports": [{"containerPort": 80, "ip": "x"}]}), f"'{C}.ports[0].ip'", "known here are"),
    (whole(ONE, ONE | {"volumeMounts": [{"name": "v"}]}), f"'{C}.volumeMounts[0].mountPath'", "is a required property"),
    (
        whole(ONE, ONE | {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
        f"'{C}.volumeMounts[0].name'",
        "capsule's",
    ),
]


@pytest.mark.parametrize(("asked", "place", "allowed"), BAD, ids=[f"{place}-{why}" for _, place, why in BAD])
def test_a_refusal_names_the_place_in_the_template_and_what_may_stand_there(
    asked: Any, place: str, allowed: str
) -> None:
    said = refused(asked)
    assert place in said and allowed in said, said
    assert len(said) < 1000


def test_nothing_but_a_template_is_asked_for() -> None:
    hook = values.reader(values.Bounds())
    for query, body in (({}, {}), ({"template": "x"}, {}), ({}, {"template": whole(), "name": "x"})):
        with pytest.raises(errors.Invalid):
            capsules.CREATE.read(query, body, MAX, hook)


def test_everything_that_a_template_can_say_is_kept() -> None:
    asked = {
        "kind": "Capsule",
        "capsuleVersion": "beta",
        "metadata": {"name": "web", "labels": {"app": 1}, "annotations": {"why": "because"}, "uid": "anything"},
        "availabilityZone": "north",
        "spec": {
            "hostname": "anything",
            "volumes": [],
            "containers": [
                {
                    "image": "registry.example/web:2",
                    "name": "front",
                    "command": ["serve", None],
                    "args": ["--port", 80],
                    "env": {"A": "b"},
                    "labels": {"tier": "front"},
                    "workDir": "/srv",
                    "imagePullPolicy": "IfNotPresent",
                    "stdin": True,
                    "tty": "true",
                    "resources": {"requests": {"cpu": "0.5", "memory": "64"}},
                    "ports": [
                        {"containerPort": 80, "hostPort": 8080, "name": "http", "protocol": "TCP"},
                        {"containerPort": "53", "protocol": "UDP"},
                    ],
                    "volumeMounts": [],
                }
            ],
        },
    }
    spec = read(asked)
    (front,) = spec.containers
    assert spec.availability_zone == "north"
    assert (spec.labels, spec.annotations) == ({"app": "1"}, {"why": "because"})
    assert (front.image, front.name, front.command) == (
        "registry.example/web:2",
        "front",
        ("serve", "--port", "80"),
    )
    assert (front.environment, front.labels, front.workdir) == ({"A": "b"}, {"tier": "front"}, "/srv")
    assert (front.pull, front.interactive, front.tty) == (PullPolicy.IF_NOT_PRESENT, True, True)
    assert front.limits == Resources(cpu=0.5, memory=64)
    assert front.ports == (ContainerPort(number=80), ContainerPort(number=53, protocol="udp"))


def test_null_is_the_same_as_nothing_at_every_place_that_may_be_empty() -> None:
    nothing = dict.fromkeys(
        (
            *("name", "command", "args", "env", "labels", "workDir", "imagePullPolicy", "stdin", "tty"),
            *("resources", "ports", "volumeMounts"),
        )
    )
    asked = whole(ONE | nothing, restartPolicy=None, initContainers=None, volumes=None)
    asked |= {"capsuleVersion": None, "restartPolicy": None, "availabilityZone": None}
    assert read(asked) == read(whole())
    for resources in ({"requests": None}, {"requests": {"cpu": None, "memory": None}}):
        assert one(resources=resources) == one()


@pytest.mark.parametrize(
    ("command", "args", "runs"),
    [
        (None, None, None),
        ([], [], None),
        (["sleep"], ["5"], ("sleep", "5")),
        (["sleep", "5"], None, ("sleep", "5")),
        (None, ["5"], ("5",)),
    ],
)
def test_a_command_is_followed_by_its_arguments_and_the_entrypoint_stays(
    command: list[str] | None, args: list[str] | None, runs: tuple[str, ...] | None
) -> None:
    made = one(command=command, args=args)
    assert (made.command, made.entrypoint) == (runs, None)


NO, ALWAYS, ON_FAILURE = RestartName.NO, RestartName.ALWAYS, RestartName.ON_FAILURE


@pytest.mark.parametrize(
    ("inner", "outer", "regular", "initial"),
    [
        (None, None, ALWAYS, ON_FAILURE),
        ("Always", None, ALWAYS, ON_FAILURE),
        ("OnFailure", None, ON_FAILURE, ON_FAILURE),
        ("Never", None, NO, NO),
        (None, "Always", ALWAYS, ON_FAILURE),
        (None, "OnFailure", ON_FAILURE, ON_FAILURE),
        (None, "Never", NO, NO),
        ("Always", "Never", ALWAYS, ON_FAILURE),
        ("Never", "Always", NO, NO),
    ],
)
def test_the_restart_policy_of_the_template_is_that_of_every_container(
    inner: str | None, outer: str | None, regular: RestartName, initial: RestartName
) -> None:
    asked = whole(ONE, ONE, restartPolicy=inner, initContainers=[ONE, ONE]) | {"restartPolicy": outer}
    spec = read(asked)
    assert {container.restart for container in spec.containers} == {RestartPolicy(name=regular)}
    assert {container.restart for container in spec.init} == {RestartPolicy(name=initial)}


YAML = """
kind: capsule
metadata:
  name: web   # anything
spec:
  restartPolicy: Never
  containers:
  - image: busybox
    command: [sh, -c, "sleep 5"]
    env: {A: b}
"""


def test_a_template_may_be_text_in_json_or_yaml() -> None:
    asked = whole(ONE | {"command": ["sh", "-c", "sleep 5"], "env": {"A": "b"}}, restartPolicy="Never")
    assert read(texts.read("template", json.dumps(asked))) == read(asked)
    assert read(texts.read("template", YAML)) == read(asked)


BOMB = "a: &a [x, x]\n" + "\n".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]" for n in range(20)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must hold an object"),
        ("hello", "must hold an object"),
        ("[]", "must hold an object"),
        ('{"kind": ', "neither JSON"),
        ("kind: capsule\n  spec: x", "line 2"),
        (BOMB, "aliases"),
        ("kind: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("spec: " + "[" * 5000, "nesting"),
        ('{"spec": ' + "[" * 40 + "]" * 40 + "}", "nested too deeply"),
        ("spec: " + "9" * 5000, "number"),
        ("kind: 2026-99-99", "number"),
        ("? [a]\n: b", "unhashable"),
        ('kind: "\\0"', "NUL"),
        ('kind: "\\ud800"', "half a character"),
        ("kind: 0x" + "f" * 20000, "too large"),
        ("kind: x\nspec: " + "x" * 70000, "32768 bytes"),
    ],
)
def test_text_that_makes_no_sense_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(errors.Invalid) as refusal:
        texts.read("template", text)
    assert why in refusal.value.message
    assert len(refusal.value.message) < 1000


@pytest.mark.parametrize(
    "text",
    [
        "1: 2",
        "kind: 2026-01-01",
        "kind: !!set {a}",
        "kind: !!binary aGVsbG8=",
        "kind: .nan",
        "{kind: capsule, metadata: {}, spec: {1: 2}}",
    ],
)
def test_what_yaml_has_and_json_has_not_is_refused_by_its_place(text: str) -> None:
    assert "template" in refused(texts.read("template", text))


def test_a_port_of_the_host_leads_to_the_container_from_the_version_on_that_says_so():
    ports = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "hostPort": 0, "protocol": "UDP"}]
    assert read(whole(ONE, ONE | {"ports": ports})).published == (Published(host_port=8080, port=80),)
    assert read(whole(ONE, ONE | {"ports": ports}), publishing=False).published == ()


def test_one_port_of_the_host_leads_to_one_container():
    web = ONE | {"ports": [{"containerPort": 80, "hostPort": 8080}]}
    other = ONE | {"ports": [{"containerPort": 81, "hostPort": 8080}]}
    assert "'template.spec.containers'. Value: '8080/tcp'." in refused(whole(web, other))
    far = ONE | {"ports": [{"containerPort": 81, "hostPort": 65536}]}
    assert "'template.spec.containers[1].ports[0].hostPort'" in refused(whole(web, far))
