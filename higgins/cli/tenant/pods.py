"""From a Kubernetes Pod to the template of a capsule, with what is not taken told by its place."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeGuard, TypeVar

from higgins import errors
from higgins.cli.tenant import quantities

Kind = TypeVar("Kind")


class Weight(Enum):
    """What a remark means for whoever wrote the Pod."""

    NOTED = "noted"
    """It comes about in another way, or makes no difference here."""
    REFUSED = "refused"
    """It would not be what was asked for without this."""
    WRONG = "wrong"
    """Nothing can be made of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What is to be said of one place in a Pod."""

    place: str
    """Such as spec.containers[0].env."""
    words: str
    weight: Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A template, and what is not in it. It is of no use where a remark says that something is wrong."""

    template: Mapping[str, Any]
    remarks: Sequence[Remark]


_ANYTHING = object()
_Volumes = Mapping[str, Mapping[str, Any] | None]
"""By name; None for one that there is nothing like."""
_Harmless = Mapping[str, Sequence[object]]
"""What may stand at keys that are not taken, and makes no difference here."""

_POD: _Harmless = {"status": (_ANYTHING,)}
_METADATA: _Harmless = dict.fromkeys(
    (
        *("namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"),
        *("generateName", "ownerReferences"),
    ),
    (_ANYTHING,),
)
_SPEC: _Harmless = {
    # What Kubernetes writes into every Pod, and what only its scheduler reads.
    "dnsPolicy": ("ClusterFirst", "Default"),
    "enableServiceLinks": (_ANYTHING,),
    "preemptionPolicy": (_ANYTHING,),
    "priority": (_ANYTHING,),
    "priorityClassName": (_ANYTHING,),
    "schedulerName": ("default-scheduler",),
    "serviceAccount": ("default",),
    "serviceAccountName": ("default",),
    "terminationGracePeriodSeconds": (_ANYTHING,),
    "tolerations": (_ANYTHING,),
    "os": ({"name": "linux"},),
    "automountServiceAccountToken": (False,),
    "hostIPC": (False,),
    "hostNetwork": (False,),
    "hostPID": (False,),
    "hostUsers": (True,),
    "setHostnameAsFQDN": (False,),
    "shareProcessNamespace": (False,),
}
_CONTAINER: _Harmless = {
    "resizePolicy": (_ANYTHING,),
    "stdinOnce": (False,),
    "terminationMessagePath": (_ANYTHING,),
    "terminationMessagePolicy": (_ANYTHING,),
}
_NOTED = {
    "namespace": "a project has no namespaces: names are those of the whole project",
    "terminationGracePeriodSeconds": "each container has ten seconds to end",
}
_NO_FILES = "nothing here keeps files for Pods; copy them in with `higgins cp`, or give them as variables"
_BELONGING = {
    "medium": "it lies on the disk of the host",
    "configMap": _NO_FILES,
    "secret": _NO_FILES,
    "downwardAPI": _NO_FILES,
    "projected": _NO_FILES,
    "hostPath": "no directory of a host is mounted; take a volume, and copy files in with `higgins cp`",
    "persistentVolumeClaim": "there are no claims; give cinder.volumeID the name of a volume of `higgins volume ls`",
    "valueFrom": "not offered; give a value",
}

_QUOTES = "it must be text; put it in quotes"
_REFERENCE = re.compile(r"\$(?:\$|\((?P<name>[^)]*)\))")


def translated(document: Mapping[str, Any]) -> Translation:
    """The template that comes nearest to a Pod; everything else that it says has a remark. A template is passed on as it is."""
    match document.get("kind"), document.get("apiVersion"):
        case "capsule" | "Capsule", _:
            return Translation(template=document, remarks=())
        case "Pod", "v1":
            return _pod(document)
        case "Pod", version:
            return _nothing("apiVersion", f"{version!r} is not taken; a Pod has v1")
        case None, _:
            return _nothing("kind", "it is missing; it is Pod, or capsule for a template as Zun has it")
        case kind, _:
            return _nothing(
                "kind", f"{kind!r} is not taken; write what it would start as a Pod (v1), or a template (kind: capsule)"
            )


def _nothing(place: str, words: str) -> Translation:
    return Translation(template={}, remarks=(Remark(place=place, words=words, weight=Weight.WRONG),))


def _pod(pod: Mapping[str, Any]) -> Translation:
    remarks: list[Remark] = []
    top = _Part("", pod, remarks)
    top.leaves(("apiVersion", "kind", "metadata", "spec"), _POD)
    metadata, spec = top.part("metadata"), top.part("spec")
    metadata.leaves(("name", "labels", "annotations"), _METADATA)
    spec.leaves(("containers", "initContainers", "restartPolicy", "volumes"), _SPEC)
    metadata.needs("name")
    spec.needs("containers")
    volumes = {one.text("name") or "": _volume(one) for one in spec.parts("volumes")}
    initial = [_container(one, volumes) for one in spec.parts("initContainers")]
    containers = [_container(one, volumes) for one in spec.parts("containers")]
    mounted = {mount["name"] for one in (*initial, *containers) for mount in one.get("volumeMounts", ())}
    template = {
        "kind": "capsule",
        "metadata": _said(
            name=metadata.text("name"),
            labels=metadata.texts("labels"),
            annotations=metadata.texts("annotations"),
        ),
        "spec": _said(
            restartPolicy=spec.word("restartPolicy", ("Always", "OnFailure", "Never")),
            initContainers=initial,
            containers=containers,
            # A template has no volumes that nobody mounts.
            volumes=[{"name": name, "cinder": found} for name, found in volumes.items() if name in mounted],
        ),
    }
    return Translation(template=template, remarks=tuple(remarks))


class _Part:
    """One object in a Pod, that knows where it stands: what is wrong with its values becomes a remark, and counts as nothing."""

    def __init__(self, place: str, found: Mapping[str, Any], remarks: list[Remark]) -> None:
        self._place = place
        self._remarks = remarks
        # As in Kubernetes, null and nothing are the same; what is empty asks for nothing.
        self._found = {key: value for key, value in found.items() if value not in (None, [], {})}

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def only(self, *keys: str) -> bool:
        """Whether nothing but these is said."""
        return self._found.keys() <= {*keys}

    def leaves(self, taken: Sequence[str], harmless: _Harmless) -> None:
        """Remark all but what is taken."""
        for key, value in self._found.items():
            if key in taken:
                continue
            if any(each is _ANYTHING or value == each for each in harmless.get(key, ())):
                self.remark(key, _NOTED.get(key, "makes no difference here"), Weight.NOTED)
            else:
                self.remark(key, _BELONGING.get(key, "not offered"), Weight.REFUSED)

    def remark(self, key: str, words: str, weight: Weight) -> None:
        self._remarks.append(Remark(place=self._at(key), words=words, weight=weight))

    def needs(self, key: str) -> None:
        if key not in self._found:
            self.remark(key, "it is missing", Weight.WRONG)

    def text(self, key: str) -> str | None:
        return self._value(key, str, _QUOTES)

    def truth(self, key: str) -> bool | None:
        return self._value(key, bool, "it must be true or false")

    def number(self, key: str) -> int | None:
        return self._value(key, int, "it must be a whole number")

    def word(self, key: str, known: Sequence[str]) -> str | None:
        given = self._found.get(key)
        if given is None or given in known:
            return given
        self.remark(key, f"{given!r} is none of {', '.join(known)}", Weight.WRONG)
        return None

    def words(self, key: str) -> Sequence[str]:
        return [each for place, each in self._items(key) if self._is(each, place, str, _QUOTES)]

    def texts(self, key: str) -> Mapping[str, str]:
        given = self._value(key, dict, "it must have names and values") or {}
        return {name: value for name, value in given.items() if self._is(value, f"{key}.{name}", str, _QUOTES)}

    def part(self, key: str) -> "_Part":
        given = self._value(key, dict, "it must be an object")
        return _Part(self._at(key), given or {}, self._remarks)

    def parts(self, key: str) -> Sequence["_Part"]:
        return [
            _Part(self._at(place), each, self._remarks)
            for place, each in self._items(key)
            if self._is(each, place, dict, "it must be an object")
        ]

    def amount(self, key: str, read: Callable[[object], float]) -> float | None:
        """What a quantity amounts to."""
        if key not in self._found:
            return None
        try:
            return read(self._found[key])
        except errors.Invalid as wrong:
            self.remark(key, wrong.message, Weight.WRONG)
            return None

    def _items(self, key: str) -> Iterator[tuple[str, Any]]:
        given = self._value(key, list, "it must be a list")
        return ((f"{key}[{place}]", each) for place, each in enumerate(given or ()))

    def _value(self, key: str, kind: type[Kind], otherwise: str) -> Kind | None:
        given = self._found.get(key)
        return given if given is not None and self._is(given, key, kind, otherwise) else None

    def _is(self, given: object, place: str, kind: type[Kind], otherwise: str) -> TypeGuard[Kind]:
        # A truth value is a number to Python.
        if isinstance(given, kind) and (kind is bool or not isinstance(given, bool)):
            return True
        self.remark(place, otherwise, Weight.WRONG)
        return False

    def _at(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key


def _container(one: _Part, volumes: _Volumes) -> Mapping[str, Any]:
    one.leaves(
        (
            *("name", "image", "command", "args", "env", "workingDir", "imagePullPolicy", "stdin", "tty"),
            *("ports", "resources", "volumeMounts"),
        ),
        _CONTAINER,
    )
    one.needs("image")
    if "command" in one:
        one.remark(
            "command",
            "follows the entrypoint of the image, if it has one; in Kubernetes it would replace it",
            Weight.NOTED,
        )
    variables = _variables(one.parts("env"))
    return _said(
        name=one.text("name"),
        image=one.text("image"),
        command=[_expanded(each, variables) for each in one.words("command")],
        args=[_expanded(each, variables) for each in one.words("args")],
        env=variables,
        workDir=one.text("workingDir"),
        imagePullPolicy=one.word("imagePullPolicy", ("Always", "IfNotPresent", "Never")),
        stdin=one.truth("stdin"),
        tty=one.truth("tty"),
        ports=[_port(each) for each in one.parts("ports")],
        resources=_resources(one.part("resources")),
        volumeMounts=_mounts(one.parts("volumeMounts"), volumes),
    )


def _volume(one: _Part) -> Mapping[str, Any] | None:
    """Which one it is; None for what there is nothing like. What is empty at first lies on the host's disk and goes with the capsule."""
    one.leaves(("name", "emptyDir", "cinder"), {})
    one.needs("name")
    cinder, empty = one.part("cinder"), one.part("emptyDir")
    empty.leaves(("sizeLimit",), {})
    # The template counts whole GiB, and 0 is no limit.
    size = -(-int(empty.amount("sizeLimit", quantities.mebibytes) or 0) // 1024)
    if "cinder" in one:
        cinder.leaves(("volumeID",), {"fsType": (_ANYTHING,)})
        cinder.needs("volumeID")
        return {"volumeID": cinder.text("volumeID")}
    # As in Kubernetes, one that says nothing about itself is empty at first.
    return {"size": size, "autoRemove": True} if one.only("name", "emptyDir") else None


def _mounts(given: Sequence[_Part], volumes: _Volumes) -> Sequence[Mapping[str, Any]]:
    """Those of volumes that there are; of the others something has been said where they stand."""
    found = []
    for one in given:
        one.leaves(("name", "mountPath", "readOnly"), {"mountPropagation": ("None",)})
        one.needs("name")
        one.needs("mountPath")
        name, said = one.text("name"), _said(mountPath=one.text("mountPath"), readOnly=one.truth("readOnly"))
        if name and name not in volumes:
            one.remark("name", f"the Pod has no volume {name!r}", Weight.WRONG)
        elif name and volumes[name] is not None:
            found.append({"name": name, **said})
    return found


def _variables(given: Sequence[_Part]) -> Mapping[str, str]:
    """Each may refer to those before it."""
    found: dict[str, str] = {}
    for one in given:
        one.leaves(("name", "value"), {})
        one.needs("name")
        value = one.text("value") or ""
        name = one.text("name")
        if name and "valueFrom" not in one:
            found[name] = _expanded(value, found)
    return found


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """As Kubernetes does it and no runtime: `$(NAME)` becomes the value of a variable that is known, and `$$` one `$`."""

    def value(found: re.Match[str]) -> str:
        return "$" if found["name"] is None else variables.get(found["name"], found[0])

    return _REFERENCE.sub(value, text)


def _port(one: _Part) -> Mapping[str, Any]:
    one.leaves(("containerPort", "hostPort", "protocol", "name"), {})
    one.needs("containerPort")
    return _said(
        containerPort=one.number("containerPort"),
        hostPort=one.number("hostPort"),
        protocol=one.word("protocol", ("TCP", "UDP")),
        name=one.text("name"),
    )


def _resources(one: _Part) -> Mapping[str, Any]:
    """A limit, or what is requested where there is none: a capsule has one number for both."""
    one.leaves(("requests", "limits"), {})
    requests, limits = one.part("requests"), one.part("limits")
    found = {}
    for key, read in (("cpu", quantities.cores), ("memory", quantities.mebibytes)):
        requested, most = requests.amount(key, read), limits.amount(key, read)
        if requested and not most:
            requests.remark(key, "is a limit here too, as there is none in limits", Weight.NOTED)
        elif requested and requested != most:
            requests.remark(key, "the one in limits is what counts", Weight.NOTED)
        # As in Kubernetes, 0 is no limit.
        if amount := most or requested:
            found[key] = amount
    for each in (requests, limits):
        each.leaves(("cpu", "memory"), {})
    return {"requests": found} if found else {}


def _said(**keys: Any) -> Mapping[str, Any]:
    """What was said of these; the rest is left out."""
    return {key: value for key, value in keys.items() if value not in (None, [], {})}
