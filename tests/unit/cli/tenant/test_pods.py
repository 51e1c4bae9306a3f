"""What becomes of a Kubernetes Pod: the template that it is, and what is said of the rest, by its place."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from higgins import errors
from higgins.cli.main import higgins
from higgins.cli.tenant import pods, quantities
from higgins.cli.tenant.pods import Weight

NOTED, REFUSED, WRONG = Weight.NOTED, Weight.REFUSED, Weight.WRONG


def pod(container: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """One with a container, and what matters."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop", **(metadata or {})},
        "spec": {"containers": [{"image": "busybox", **(container or {})}], **spec},
    }


def translated(document: dict[str, Any]) -> tuple[Any, list[tuple[str, Weight]]]:
    found = pods.translated(document)
    return found.template, [(each.place, each.weight) for each in found.remarks]


def test_a_pod_is_a_template_with_all_that_both_know():
    template, remarks = translated(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "shop", "labels": {"tier": "front"}, "annotations": {"by": "martha"}},
            "spec": {
                "restartPolicy": "OnFailure",
                "initContainers": [{"name": "setup", "image": "busybox:1", "args": ["true"]}],
                "containers": [
                    {
                        "name": "web",
                        "image": "shop/web:2",
                        "args": ["--port", "80"],
                        "env": [{"name": "A", "value": "1"}, {"name": "EMPTY"}],
                        "workingDir": "/srv",
                        "imagePullPolicy": "IfNotPresent",
                        "stdin": True,
                        "tty": False,
                        "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}],
                        "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}},
                    }
                ],
            },
        }
    )
    assert remarks == []
    assert template == {
        "kind": "capsule",
        "metadata": {"name": "shop", "labels": {"tier": "front"}, "annotations": {"by": "martha"}},
        "spec": {
            "restartPolicy": "OnFailure",
            "initContainers": [{"name": "setup", "image": "busybox:1", "args": ["true"]}],
            "containers": [
                {
                    "name": "web",
                    "image": "shop/web:2",
                    "args": ["--port", "80"],
                    "env": {"A": "1", "EMPTY": ""},
                    "workDir": "/srv",
                    "imagePullPolicy": "IfNotPresent",
                    "stdin": True,
                    "tty": False,
                    "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}],
                    "resources": {"requests": {"cpu": 0.5, "memory": 128}},
                }
            ],
        },
    }


@pytest.mark.parametrize(
    ("document", "place", "weight"),
    [
        # What would be missed.
        (pod(volumes=[{"name": "content", "configMap": {"name": "c"}}]), "spec.volumes[0].configMap", REFUSED),
        (pod(volumes=[{"name": "content", "hostPath": {"path": "/"}}]), "spec.volumes[0].hostPath", REFUSED),
        (
            pod(volumes=[{"name": "content", "emptyDir": {"medium": "Memory"}}]),
            "spec.volumes[0].emptyDir.medium",
            REFUSED,
        ),
        (pod(volumes=[{"emptyDir": {}}]), "spec.volumes[0].name", WRONG),
        (pod(volumes=[{"name": "v", "emptyDir": {"sizeLimit": "x"}}]), "spec.volumes[0].emptyDir.sizeLimit", WRONG),
        (pod(volumes=[{"name": "v", "cinder": {"volumeID": 5}}]), "spec.volumes[0].cinder.volumeID", WRONG),
        (pod(hostNetwork=True), "spec.hostNetwork", REFUSED),
        (pod(nodeSelector={"disk": "ssd"}), "spec.nodeSelector", REFUSED),
        (pod(nodeName="host-1"), "spec.nodeName", REFUSED),
        (pod(securityContext={"runAsUser": 1000}), "spec.securityContext", REFUSED),
        (pod(imagePullSecrets=[{"name": "key"}]), "spec.imagePullSecrets", REFUSED),
        (pod(dnsPolicy="None"), "spec.dnsPolicy", REFUSED),
        (pod(serviceAccountName="robot"), "spec.serviceAccountName", REFUSED),
        (pod(shareProcessNamespace=True), "spec.shareProcessNamespace", REFUSED),
        (pod(hostname="box"), "spec.hostname", REFUSED),
        (pod(activeDeadlineSeconds=5), "spec.activeDeadlineSeconds", REFUSED),
        (pod({"livenessProbe": {"exec": {}}}), "spec.containers[0].livenessProbe", REFUSED),
        (pod({"readinessProbe": {"exec": {}}}), "spec.containers[0].readinessProbe", REFUSED),
        (pod({"securityContext": {"privileged": True}}), "spec.containers[0].securityContext", REFUSED),
        (
            pod({"volumeMounts": [{"name": "content", "mountPath": "/c"}]}),
            "spec.containers[0].volumeMounts[0].name",
            WRONG,
        ),
        (pod({"lifecycle": {"preStop": {}}}), "spec.containers[0].lifecycle", REFUSED),
        (pod({"stdinOnce": True}), "spec.containers[0].stdinOnce", REFUSED),
        (pod({"envFrom": [{"secretRef": {}}]}), "spec.containers[0].envFrom", REFUSED),
        (
            pod({"env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}),
            "spec.containers[0].env[0].valueFrom",
            REFUSED,
        ),
        (
            pod({"ports": [{"containerPort": 80, "hostIP": "10.0.0.7"}]}),
            "spec.containers[0].ports[0].hostIP",
            REFUSED,
        ),
        (
            pod({"resources": {"limits": {"example.org/gpu": 1}}}),
            "spec.containers[0].resources.limits.example.org/gpu",
            REFUSED,
        ),
        (pod({"resources": {"claims": [{"name": "a"}]}}), "spec.containers[0].resources.claims", REFUSED),
        (
            pod(initContainers=[{"image": "busybox", "restartPolicy": "Always"}]),
            "spec.initContainers[0].restartPolicy",
            REFUSED,
        ),
        (pod({"comand": ["sh"]}), "spec.containers[0].comand", REFUSED),
        ({**pod(), "data": {"a": "b"}}, "data", REFUSED),
        # What makes no difference, or another one.
        ({**pod(), "status": {"phase": "Running"}}, "status", NOTED),
        (pod(metadata={"uid": "1"}), "metadata.uid", NOTED),
        (pod(metadata={"namespace": "garden"}), "metadata.namespace", NOTED),
        (pod(dnsPolicy="ClusterFirst"), "spec.dnsPolicy", NOTED),
        (pod(hostNetwork=False), "spec.hostNetwork", NOTED),
        (pod(serviceAccountName="default"), "spec.serviceAccountName", NOTED),
        (pod(terminationGracePeriodSeconds=30), "spec.terminationGracePeriodSeconds", NOTED),
        (pod(tolerations=[{"operator": "Exists"}]), "spec.tolerations", NOTED),
        (pod({"terminationMessagePath": "/dev/log"}), "spec.containers[0].terminationMessagePath", NOTED),
        (pod({"command": ["sh"]}), "spec.containers[0].command", NOTED),
        (
            pod({"resources": {"requests": {"memory": "64Mi"}}}),
            "spec.containers[0].resources.requests.memory",
            NOTED,
        ),
        (
            pod({"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": 2}}}),
            "spec.containers[0].resources.requests.cpu",
            NOTED,
        ),
        # What nothing can be made of.
        ({**pod(), "metadata": {}}, "metadata.name", WRONG),
        (pod({"resources": "small"}), "spec.containers[0].resources", WRONG),
        ({**pod(), "spec": {}}, "spec.containers", WRONG),
        (pod(containers={"image": "busybox"}), "spec.containers", WRONG),
        (pod(containers=["busybox"]), "spec.containers[0]", WRONG),
        (pod({"image": None}), "spec.containers[0].image", WRONG),
        (pod({"image": 5}), "spec.containers[0].image", WRONG),
        (pod(restartPolicy="always"), "spec.restartPolicy", WRONG),
        (pod(metadata={"labels": {"a": 5}}), "metadata.labels.a", WRONG),
        (pod({"args": "true"}), "spec.containers[0].args", WRONG),
        (pod({"args": ["-n", 5]}), "spec.containers[0].args[1]", WRONG),
        (pod({"env": {"A": "1"}}), "spec.containers[0].env", WRONG),
        (pod({"env": [{"name": "A", "value": True}]}), "spec.containers[0].env[0].value", WRONG),
        (pod({"env": [{"value": "1"}]}), "spec.containers[0].env[0].name", WRONG),
        (pod({"stdin": "yes"}), "spec.containers[0].stdin", WRONG),
        (pod({"imagePullPolicy": "always"}), "spec.containers[0].imagePullPolicy", WRONG),
        (pod({"ports": [{"containerPort": True}]}), "spec.containers[0].ports[0].containerPort", WRONG),
        (pod({"ports": [{"name": "http"}]}), "spec.containers[0].ports[0].containerPort", WRONG),
        (
            pod({"ports": [{"containerPort": 80, "protocol": "SCTP"}]}),
            "spec.containers[0].ports[0].protocol",
            WRONG,
        ),
        (pod({"resources": {"limits": {"cpu": "much"}}}), "spec.containers[0].resources.limits.cpu", WRONG),
        (pod({"resources": {"limits": {"memory": "500m"}}}), "spec.containers[0].resources.limits.memory", WRONG),
        ({"kind": "Pod", "apiVersion": "v2"}, "apiVersion", WRONG),
        ({"kind": "Pod"}, "apiVersion", WRONG),
        ({"kind": "Deployment", "apiVersion": "apps/v1"}, "kind", WRONG),
        ({"kind": ["Pod"], "apiVersion": "v1"}, "kind", WRONG),
        ({"spec": {}}, "kind", WRONG),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_what_is_not_taken_is_told_by_its_place(document, place, weight):
    template, remarks = translated(document)
    assert remarks == [(place, weight)]
    if weight is not WRONG and place != "spec.containers[0].command" and ".resources." not in place:
        assert place.rpartition(".")[2].partition("[")[0] not in json.dumps(template["spec"])


def test_null_and_what_is_empty_ask_for_nothing():
    container: dict[str, Any] = {"command": None, "env": [], "securityContext": {}, "resources": {"limits": {"cpu": 0}}}
    template, remarks = translated(pod(container, volumes=[], nodeSelector=None))
    assert remarks == []
    assert template["spec"] == {"containers": [{"image": "busybox"}]}


def test_everything_that_is_wrong_is_told_at_once():
    _, remarks = translated(
        pod(
            {"stdin": 1, "volumeMounts": [{"readOnly": True}], "image": None},
            volumes=[{"emptyDir": {"sizeLimit": "1Gi"}}],
            restartPolicy="No",
        )
    )
    assert sorted(remarks, key=str) == sorted(
        [
            ("spec.restartPolicy", WRONG),
            ("spec.volumes[0].name", WRONG),
            ("spec.containers[0].image", WRONG),
            ("spec.containers[0].stdin", WRONG),
            ("spec.containers[0].volumeMounts[0].name", WRONG),
            ("spec.containers[0].volumeMounts[0].mountPath", WRONG),
        ],
        key=str,
    )


def test_what_is_empty_at_first_is_a_volume_that_goes_with_the_capsule():
    web: dict[str, Any] = {"volumeMounts": [{"name": "cache", "mountPath": "/c"}]}
    job: dict[str, Any] = {"image": "busybox"}
    job |= {
        "volumeMounts": [{"name": "cache", "mountPath": "/d", "readOnly": True}, {"name": "own", "mountPath": "/o"}]
    }
    volumes = [
        {"name": "cache", "emptyDir": {}},
        {"name": "own", "emptyDir": {"sizeLimit": "1500Mi"}},
        {"name": "nobodys"},
    ]
    template, remarks = translated(pod(web, initContainers=[job], volumes=volumes))
    assert remarks == []
    assert template["spec"]["volumes"] == [
        {"name": "cache", "cinder": {"size": 0, "autoRemove": True}},
        {"name": "own", "cinder": {"size": 2, "autoRemove": True}},
    ]
    assert template["spec"]["containers"][0]["volumeMounts"] == [{"name": "cache", "mountPath": "/c"}]
    assert template["spec"]["initContainers"][0]["volumeMounts"] == [
        {"name": "cache", "mountPath": "/d", "readOnly": True},
        {"name": "own", "mountPath": "/o"},
    ]


def test_a_volume_that_is_there_is_named_as_clouds_name_theirs():
    mounting = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    template, remarks = translated(pod(mounting, volumes=[{"name": "v", "cinder": {"volumeID": "data"}}]))
    assert remarks == []
    assert template["spec"]["volumes"] == [{"name": "v", "cinder": {"volumeID": "data"}}]


def test_the_words_of_a_command_go_where_the_template_has_them():
    template, _ = translated(pod({"command": ["sh", "-c"], "args": ["true"]}))
    assert template["spec"]["containers"][0]["command"] == ["sh", "-c"]
    assert template["spec"]["containers"][0]["args"] == ["true"]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("$(PORT)", "80"),
        ("--url=$(URL)/x", "--url=http://web:80/x"),
        ("$(LATER)", "$(LATER)"),
        ("$$(PORT)", "$(PORT)"),
        ("$$$(PORT)", "$80"),
        ("$PORT ${PORT} $", "$PORT ${PORT} $"),
        ("$(PORT", "$(PORT"),
        ("$()", "$()"),
        ("echo $$", "echo $"),
    ],
)
def test_references_to_variables_are_resolved_as_in_kubernetes(text, becomes):
    env = [{"name": "PORT", "value": "80"}, {"name": "URL", "value": "http://web:$(PORT)"}]
    env += [{"name": "EARLY", "value": "$(NEXT)"}, {"name": "NEXT", "value": "1"}]
    template, _ = translated(pod({"env": env, "command": [text], "args": [text]}))
    container = template["spec"]["containers"][0]
    assert (container["command"], container["args"]) == ([becomes], [becomes])
    assert container["env"] == {"PORT": "80", "URL": "http://web:80", "EARLY": "$(NEXT)", "NEXT": "1"}


def test_limits_count_and_requests_where_there_are_none():
    asked = {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    template, remarks = translated(pod({"resources": asked}))
    assert template["spec"]["containers"][0]["resources"] == {"requests": {"cpu": 0.25, "memory": 2048}}
    assert {place.rpartition(".")[2] for place, _ in remarks} == {"cpu", "memory"}


@pytest.mark.parametrize(
    ("text", "cores"),
    [("500m", 0.5), ("2", 2), (0.5, 0.5), (1, 1), ("0.1", 0.1), ("1e1", 10), ("100u", 0.001), ("1k", 1000), ("0", 0)],
)
def test_cores_are_read_as_kubernetes_writes_them(text, cores):
    assert quantities.cores(text) == cores


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [
        *(("128Mi", 128), ("1Gi", 1024), ("1.5Gi", 1536), ("1024Ki", 1), ("1G", 954), ("128M", 123)),
        *((134217728, 128), ("134217728", 128), ("129e6", 124), ("1Ti", 1048576), (0, 0)),
    ],
)
def test_memory_is_read_as_kubernetes_writes_it_and_rounded_up(text, mebibytes):
    assert quantities.mebibytes(text) == mebibytes


@pytest.mark.parametrize("text", ["", "m", "-1", "1mi", "1 Gi", "1KB", "1e999", "0x10", "٣", "nan", True, None, [], {}])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(errors.Invalid):
        quantities.cores(text)


@pytest.mark.parametrize("text", ["500m", "512", "64k", 1])
def test_less_memory_than_a_mebibyte_is_taken_for_a_slip(text):
    with pytest.raises(errors.Invalid):
        quantities.mebibytes(text)


KEYS = st.sampled_from(
    [
        *("name", "image", "env", "value", "command", "ports", "containerPort", "resources", "limits", "requests"),
        *("cpu", "memory", "labels", "containers", "initContainers", "volumes", "stdin", "restartPolicy"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(metadata=ANYTHING, spec=st.dictionaries(KEYS, ANYTHING))
def test_whatever_a_pod_says_it_is_a_template_or_told_what_is_wrong(metadata, spec):
    found = pods.translated({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    json.dumps(found.template)
    if not any(each.weight is WRONG for each in found.remarks):
        assert found.template["metadata"]["name"] is not None
        assert all(isinstance(one["image"], str) for one in found.template["spec"]["containers"])


# As it is shown.


def apply(tmp_path, document: Any, *options: str):
    file = tmp_path / "shop.yaml"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return CliRunner().invoke(higgins, ["capsule", "apply", "-f", str(file), *options])


def lines(result) -> list[str]:
    failure = result.exception
    assert isinstance(failure, errors.Invalid), result.output
    return [failure.message, *getattr(failure, "__notes__", ())]


def test_every_place_that_is_refused_has_its_line_and_there_is_a_way_on(tmp_path):
    said = lines(
        apply(tmp_path, pod({"livenessProbe": {"exec": {}}}, volumes=[{"name": "content", "secret": {"name": "s"}}]))
    )
    assert said == [
        "nothing was made, because of:",
        f"  {tmp_path}/shop.yaml: spec.volumes[0].secret: nothing here keeps files for Pods; copy them in with `higgins cp`, or "
        "give them as variables",
        f"  {tmp_path}/shop.yaml: spec.containers[0].livenessProbe: not offered",
        "Take out what is not offered, or go without it: higgins capsule apply --ignore-unsupported",
    ]


def test_what_is_wrong_cannot_be_ignored(tmp_path):
    said = lines(
        apply(tmp_path, pod({"stdin": 1}, volumes=[{"name": "content", "nfs": {"path": "/"}}]), "--ignore-unsupported")
    )
    assert said[1:] == [
        f"  {tmp_path}/shop.yaml: spec.containers[0].stdin: it must be true or false",
        "Correct what is wrong.",
    ]


def test_of_several_documents_it_is_told_which(tmp_path):
    both = "\n---\n".join(json.dumps(each) for each in (pod(), {"kind": "Deployment"}))
    assert "shop.yaml, document 2: kind: 'Deployment' is not taken" in lines(apply(tmp_path, both))[1]


def test_a_port_of_the_host_is_asked_for_as_the_pod_says() -> None:
    found = pods.translated(pod({"ports": [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]}))
    assert not found.remarks
    assert found.template["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}
    ]
