"""Capsules: everything that a template can say, with values that are taken and values that are refused, and what is shown of them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.compat.differences import (
    ALL_CAPSULES,
    BAD_TEMPLATE,
    BAD_VOLUMES,
    CONTAINER_LABELS,
    CONTENT_TYPE,
    HOST_PORT,
    LABELS,
    NO_CAPSULE,
    NO_JSON,
    OURS,
    TEXTS_IN_TEMPLATE,
    TOP_POLICY,
    VOLUMES,
    YAML,
    Zun,
)
from tests.compat.ground import NONE, NOWHERE
from tests.compat.shapes import CAPSULE, CAPSULES, DRY_RUN
from tests.compat.table import (
    ADMIN,
    FORBIDDEN,
    INVALID,
    NEWEST,
    STRANGER,
    UNKNOWN_PROPERTY,
    ZUNS,
    Parameter,
    Row,
    short,
)

_CONTAINER = {"image": "{image_name}"}
_TEMPLATE: Mapping[str, Any] = {
    "kind": "capsule",
    "metadata": {},
    "availabilityZone": NOWHERE,
    "spec": {"containers": [_CONTAINER, _CONTAINER], "initContainers": [_CONTAINER]},
}
CREATE = Row("POST", "/capsules", 202, gives=CAPSULE, body={"template": _TEMPLATE})
LIST = Row("GET", "/capsules", 200, gives=CAPSULES)
SHOW = Row("GET", "/capsules/{capsule}", 200, gives=CAPSULE)
_UNKNOWN = "container.capsule-not-found"
_MISSING = object()
"""Instead of a value: nothing."""


def _with(place: str, value: object, template: Mapping[str, Any] = _TEMPLATE) -> dict[str, Any]:
    """The body with this at a place of the template; what is on the way there is made if need be."""
    body = {"template": json.loads(json.dumps(template))}
    *way, last = ["template", *(int(step) if step.isdigit() else step for step in re.findall(r"\w+", place))]
    within: Any = body
    for step in way:
        within = within.setdefault(step, {}) if isinstance(within, dict) else within[step]
    if value is _MISSING:
        del within[last]
    else:
        within[last] = value
    return body


def _taken(place: str, *values: object, **row: Any) -> Iterator[Row]:
    for value in values:
        yield replace(CREATE, body=_with(place, value), label=f"template.{place}={short(value)}", **row)


def _refused(
    place: str, *values: object, of: Mapping[str, Any] = _TEMPLATE, zun: Zun = BAD_TEMPLATE, names: str | None = None
) -> Iterator[Row]:
    """With the name of the place."""
    for value in values:
        label = f"without template.{place}" if value is _MISSING else f"template.{place}={short(value)}"
        named = f"template.{names or place}"
        body = _with(place, value, of)
        yield Row("POST", "/capsules", 400, code=INVALID, names=named, body=body, label=label, zun=zun)


def _metadata() -> Iterator[Row]:
    yield from _refused("kind", _MISSING, "pod", None, 5)
    yield from _taken("kind", "Capsule")
    yield from _taken("capsuleVersion", "beta", "Beta")
    yield from _refused("capsuleVersion", "v1", 1)
    yield from _refused("metadata", _MISSING, None, [], "web")
    yield from _taken("metadata", {"name": "web", "colour": "red"}, {"name": None, "labels": None, "annotations": None})
    yield from _refused("metadata.name", "", "a", "a b", "-ab", "x" * 256, 5)
    for name in ("labels", "annotations"):
        yield from _taken(f"metadata.{name}", {}, {"app": "1"})
        yield from _refused(f"metadata.{name}", [], "app")
        yield from _refused(f"metadata.{name}.app", {}, [], zun=LABELS)
    yield from _shown({"metadata": {"name": "web"}}, {"name": "web"}, since=32)
    yield from _shown({"metadata": {"name": "web"}}, {"meta_name": "web"}, until=31)
    yield from _shown({"metadata": {"labels": {"app": "1"}}}, {"labels": {"app": "1"}}, since=32)
    yield from _shown({"metadata": {"labels": {"app": "1"}}}, {"meta_labels": {"app": "1"}}, until=31)
    yield from _shown({"metadata": {"annotations": {"app": "1"}}}, {"annotations": {"app": "1"}})
    yield from _taken("availabilityZone", "x" * 255)
    yield from _refused("availabilityZone", "", "x" * 256, 5)
    yield from _refused("nets", [], names="nets")
    yield from _refused("spec", _MISSING, None, [], "web")
    yield from _taken("spec.colour", "red")


def _shown(said: Mapping[str, Any], shows: Mapping[str, object], **row: Any) -> Iterator[Row]:
    body = {"template": {**_TEMPLATE, **said}}
    yield replace(CREATE, body=body, shows=shows, label=f"{json.dumps(said)} shown as {json.dumps(shows)}", **row)


def _policies() -> Iterator[Row]:
    """By one name up to 1.31, then as an object."""
    for policy, name in (("Always", "always"), ("OnFailure", "on-failure"), ("Never", "no")):
        spec = {"spec": {**_TEMPLATE["spec"], "restartPolicy": policy}}
        yield from _shown(spec, {"restart_policy": name}, until=31)
        yield from _shown(spec, {"restart_policy": {"Name": name, "MaximumRetryCount": "0"}}, since=32)
        top = {"restartPolicy": policy}
        yield from _shown(top, {"restart_policy": {"Name": name, "MaximumRetryCount": "0"}}, since=32, zun=TOP_POLICY)
    yield from _refused("restartPolicy", "always", "", 5)
    yield from _refused("spec.restartPolicy", "always", "", 5)


def _containers() -> Iterator[Row]:
    yield from _refused("spec.containers", _MISSING, [], {}, None, [_CONTAINER] * 65)
    yield from _refused("spec.initContainers", {}, "web", [_CONTAINER] * 65)
    yield from _taken("spec.initContainers", [], None)
    for name in ("containers[1]", "initContainers[0]"):
        place = f"spec.{name}"
        yield from _refused(place, 5, "web", [])
        yield from _refused(f"{place}.image", _MISSING, 5, None, "", "x", "x" * 256, "NGINX!!")
        yield from _taken(f"{place}.image", "registry.invalid:5000/a/b:1")
        yield from _taken(f"{place}.name", "web", None)
        yield from _refused(f"{place}.name", "", "a", "a b", "x" * 256, 5)
        for words in ("command", "args"):
            yield from _taken(f"{place}.{words}", ["sleep", "600"], [], None, ["sleep", None])
            yield from _refused(f"{place}.{words}", "sleep 600", 5, {})
        yield from _taken(f"{place}.env", {"A": "1"}, {}, None)
        yield from _refused(f"{place}.env", ["A=1"], "A=1", 5)
        yield from _refused(f"{place}.env.PORT", 80, None, [])
        yield from _taken(f"{place}.labels", {"app": "1"}, {}, None, zun=CONTAINER_LABELS)
        yield from _refused(f"{place}.labels", ["app"], 5)
        yield from _taken(f"{place}.workDir", "/tmp", None)
        yield from _refused(f"{place}.workDir", 5, [])
        yield from _refused(f"{place}.imagePullPolicy", "often", "", 5)
        for word in ("never", "always", "ifnotpresent", "Never", "Always", "IfNotPresent"):
            yield from _taken(f"{place}.imagePullPolicy", word, who=ADMIN)
        for truth in ("stdin", "tty"):
            yield from _taken(f"{place}.{truth}", True, False)
            yield from _refused(f"{place}.{truth}", "yes", 5, [])
        yield from _taken(f"{place}.resources", {}, {"requests": {}}, {"requests": {"cpu": 0.5, "memory": 64}})
        yield from _taken(f"{place}.resources", {"requests": {"cpu": "0.5", "memory": "64"}}, zun=TEXTS_IN_TEMPLATE)
        yield from _refused(f"{place}.resources", [], "small", 5)
        yield from _refused(f"{place}.resources.limits", {})
        yield from _refused(f"{place}.resources.requests", [], 5)
        yield from _refused(f"{place}.resources.requests.cpu", 0, 16.1, "500m", True)
        yield from _refused(f"{place}.resources.requests.memory", 3, 8193, "64Mi", True)
        yield from _refused(f"{place}.resources.requests.disk", 1)
        yield from _taken(f"{place}.ports", [], [{"containerPort": 80}], [{"containerPort": 53, "protocol": "UDP"}])
        yield from _taken(f"{place}.ports", [{"containerPort": 80, "name": "web", "protocol": "TCP"}])
        yield from _refused(f"{place}.ports", {}, 80)
        ports = _with(f"{place}.ports", [{"containerPort": 80}])["template"]
        yield from _refused(f"{place}.ports[0].containerPort", _MISSING, 0, 65536, "http", of=ports)
        yield from _refused(f"{place}.ports[0].hostPort", "http", -1, of=ports)
        yield from _refused(f"{place}.ports[0].protocol", "SCTP", 5, of=ports)
        yield from _refused(f"{place}.ports[0].name", 5, of=ports)
        yield from _refused(f"{place}.ports[0].colour", "red", of=ports)
        yield from _refused(f"{place}.colour", "red")


def _volumes() -> Iterator[Row]:
    place, mounts = "spec.volumes[0]", "spec.containers[0].volumeMounts[0]"
    spec = _TEMPLATE["spec"]
    mounting = {**_CONTAINER, "volumeMounts": [{"name": "disk", "mountPath": "/data"}]}

    def of(**cinder: object) -> dict[str, Any]:
        volumes = [{"name": "disk", "cinder": cinder}]
        return {**_TEMPLATE, "spec": {**spec, "containers": [mounting], "volumes": volumes}}

    good = of(size=1, autoRemove=True)
    yield from _taken("spec.volumes", [], None)
    yield replace(CREATE, body={"template": good}, zun=VOLUMES, label="template with a volume")
    for value in (True, False):
        body = _with(f"{mounts}.readOnly", value, good)
        yield replace(CREATE, body=body, zun=VOLUMES, label=f"template.{mounts}.readOnly={short(value)}")
    yield from _refused("spec.volumes", {}, "disk")
    yield from _refused(f"{place}.name", _MISSING, "", 5, of=good)
    yield from _refused(f"{place}.cinder", _MISSING, None, [], of=good)
    yield from _refused(f"{place}.cinder", {}, {"size": 1, "volumeID": NONE}, of=good, zun=BAD_VOLUMES)
    yield from _refused(f"{place}.cinder.size", "large", -1, 16385, of=good)
    yield from _refused(f"{place}.cinder.autoRemove", "yes", 5, of=good)
    yield from _refused(mounts, {}, 5, of=good, names="spec.containers[0].volumeMounts[0]")
    yield from _refused(f"{mounts}.name", _MISSING, "others", "", 5, of=good)
    yield from _refused(f"{mounts}.mountPath", _MISSING, "", "data", "/a/../b", 5, of=good)
    yield from _refused(f"{mounts}.readOnly", "yes", 5, of=good)
    yield from _refused(f"{mounts}.colour", "red", of=good)
    yield from _refused("spec.containers[0].volumeMounts", [], of=good, names="spec.volumes")
    unknown = {"template": of(volumeID=NONE)}
    yield Row(
        "POST",
        "/capsules",
        404,
        code="container.volume-not-found",
        body=unknown,
        zun=VOLUMES,
        label="template.spec.volumes of nobody's",
    )


def _ports_of_the_host() -> Iterator[Row]:
    """They count from 1.41 on. This one may not be named."""
    body = _with("spec.containers[0].ports", [{"containerPort": 80, "hostPort": 22}])
    yield replace(CREATE, body=body, until=ZUNS, zun=HOST_PORT, label="hostPort=22")
    yield Row(
        "POST",
        "/capsules",
        403,
        code="container.host-port-not-allowed",
        names="22",
        body=body,
        since=NEWEST,
        zun=OURS,
        label="hostPort=22",
    )


ROWS: tuple[Row | Parameter, ...] = (
    replace(CREATE, every=True, label="every field"),
    replace(CREATE, every=True, who=ADMIN, label="every field"),
    replace(
        CREATE,
        body={"template": json.dumps({**_TEMPLATE, "spec": {"containers": [{"image": "busybox"}]}})},
        label="as JSON in text",
    ),
    replace(
        CREATE,
        body={
            "template": f"{{kind: capsule, metadata: {{}}, availabilityZone: {NOWHERE}, spec: {{containers: [image: busybox]}}}}"
        },
        zun=YAML,
        label="as YAML in text",
    ),
    Row(
        "POST",
        "/capsules",
        400,
        code=INVALID,
        names="template",
        body={"template": "{"},
        zun=YAML,
        label="text that breaks off",
    ),
    Row("POST", "/capsules", 400, code=INVALID, names="'template' is a required property", body={}),
    Row("POST", "/capsules", 400, body=b"[1]", label="body that is a list"),
    Row("POST", "/capsules", 400, body=b'{"template": {', zun=NO_JSON, label="body that breaks off"),
    Row(
        "POST",
        "/capsules",
        415,
        body=b"kind: capsule",
        headers={"Content-Type": "text/plain"},
        zun=CONTENT_TYPE,
        label="body that is text",
    ),
    Row(
        "POST",
        "/capsules",
        400,
        code=INVALID,
        names="colour",
        body={"template": _TEMPLATE, "colour": "red"},
        label="colour beside it",
    ),
    Row(
        "POST",
        "/capsules",
        400,
        code=INVALID,
        names="colour",
        body=CREATE.body,
        query={"colour": "red"},
        label="colour in the query",
    ),
    Parameter(of=CREATE, name="template", bad=[5, [], None, "web"], zun=BAD_TEMPLATE),
    *_metadata(),
    *_policies(),
    *_containers(),
    *_volumes(),
    *_ports_of_the_host(),
    *(
        Row(
            "POST",
            "/capsules",
            403,
            code=FORBIDDEN,
            names="container:create:image_pull_policy",
            body=_with("spec.containers[0].imagePullPolicy", word),
            zun=BAD_TEMPLATE,
            label=f"imagePullPolicy={word}",
        )
        for word in ("always", "Never")
    ),
    # What would happen.
    Row(
        "POST",
        "/capsules",
        200,
        gives=DRY_RUN,
        body={"template": _TEMPLATE, "dry_run": True},
        since=NEWEST,
        otherwise=UNKNOWN_PROPERTY,
        zun=OURS,
        label="dry_run=true",
    ),
    Row(
        "POST",
        "/capsules",
        200,
        gives=DRY_RUN,
        body=CREATE.body,
        query={"dry_run": "true"},
        since=NEWEST,
        otherwise=UNKNOWN_PROPERTY,
        zun=OURS,
        label="dry_run in the query",
    ),
    Parameter(of=CREATE, name="dry_run", bad=["perhaps", 5, []], since=NEWEST, zun=OURS),
    # Lists.
    replace(LIST, every=True, label="every field"),
    replace(LIST, every=True, who=ADMIN, query={"all_projects": "true"}),
    Row(
        "GET",
        "/capsules",
        403,
        code=FORBIDDEN,
        names="capsule:get_all_all_projects",
        query={"all_projects": "true"},
        zun=ALL_CAPSULES,
    ),
    Parameter(of=LIST, name="all_projects", good=["false", "0"], bad=["perhaps"], zun=ALL_CAPSULES),
    Parameter(of=LIST, name="limit", good=["1", "1000"], bad=["0", "-1", "one"], code=None),
    Parameter(of=LIST, name="sort_key", good=["id", "uuid", "name", "created_at"]),
    Parameter(of=LIST, name="sort_key", bad=["colour"], code="container.invalid-parameter-value", zun=BAD_TEMPLATE),
    Parameter(of=LIST, name="sort_dir", good=["asc", "desc"]),
    Parameter(of=LIST, name="sort_dir", bad=["up"], code=None),
    Parameter(of=LIST, name="colour", good=["red"]),
    Row("GET", "/capsules", 200, gives=CAPSULES, query={"marker": "{capsule}"}),
    Row("GET", "/capsules", 404, query={"marker": NONE}, zun=NO_CAPSULE),
    # One.
    replace(SHOW, every=True, label="every field", shows={"uuid": "{capsule}"}),
    replace(SHOW, every=True, who=ADMIN, label="every field"),
    replace(SHOW, path="/capsules/{mark}-capsule", shows={"uuid": "{capsule}"}),
    Parameter(of=SHOW, name="colour", good=["red"]),
    Parameter(of=SHOW, name="all_projects", good=["false"]),
    Row("GET", "/capsules/{capsule}", 403, code=FORBIDDEN, query={"all_projects": "true"}, zun=NO_CAPSULE),
    replace(SHOW, query={"wait": "Creating", "timeout": "5"}, since=NEWEST, zun=OURS),
    replace(SHOW, query={"wait": "nothing", "timeout": "soon"}, until=ZUNS),
    Parameter(of=SHOW, name="wait", since=NEWEST, bad=["Nothing", ""], zun=OURS),
    Parameter(of=SHOW, name="timeout", since=NEWEST, bad=["-1", "3601", "soon"], zun=OURS),
    # It goes, whatever it is: see test_conversations.py. Here it does not.
    Row(
        "DELETE",
        "/capsules/{capsule}",
        403,
        code=FORBIDDEN,
        names="capsule:delete_all_projects",
        query={"all_projects": "true"},
    ),
    *(
        Row(method, f"/capsules/{ref}", 404, code=_UNKNOWN, who=who, query=query, zun=NO_CAPSULE)
        for method in ("GET", "DELETE")
        for who, ref in ((STRANGER, "{capsule}"), (STRANGER, NONE), ("member", NONE))
        for query in ({}, {"all_projects": "false"})
    ),
    # Its containers are nobody's alone, and it is no container.
    Row("GET", "/containers/{capsule}", 404),
)
