"""The template of a capsule: what it may say, and what it means.

Where Zun's meaning is broken it has Kubernetes' meaning. Everywhere `null` means the same as leaving a key out.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta, Struct

from higgins import errors
from higgins.api.zun import form, mounts, translate, values
from higgins.api.zun.forms import Image, Key, Name, Path, Variable, Zone
from higgins.api.zun.mounts import TemplateMount, TemplateVolume
from higgins.api.zun.values import said
from higgins.logic.reference import Reference
from higgins.model.capsule import (
    CapsuleSpec,
    Container,
    ContainerPort,
    Desired,
    PullPolicy,
    Resources,
    RestartName,
    RestartPolicy,
)
from higgins.model.ids import ContainerId, VolumeId
from higgins.model.network import Published

_MOST = 64
"""Containers of a capsule, and as many that run before them; the same for volumes."""
_NONE: Mapping[str, VolumeId] = MappingProxyType({})
_LAST_PORT = 65535

Restart = Annotated[
    Literal["Always", "OnFailure", "Never"],
    said("After which ends a container is started again: all, those with an exit code other than 0, or none."),
]
Words = list[values.Text | None]
"""Clients may send null for a word; it is none."""


class TemplateMetadata(Struct, kw_only=True):
    """What is said about a capsule."""

    name: Annotated[Name | None, said("Its name in the project; several may have the same. It need not have any.")] = (
        None
    )
    labels: Annotated[
        dict[Key, values.Text] | None, said("Words of the owner's, which mean nothing here; 128 KiB in all.")
    ] = None
    annotations: Annotated[dict[Key, values.Text] | None, said("The same.")] = None


class TemplateRequests(Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """How much a container may use."""

    cpu: Annotated[values.Cores | None, said("Cores, as a limit; a number, or a string of one.")] = None
    memory: Annotated[values.Mebibytes | None, said("MiB, as a limit; a number, or a string of one.")] = None


class TemplateResources(Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """What a container needs."""

    requests: Annotated[TemplateRequests | None, said("How much it may use. Nothing: without limit.")] = None


class TemplatePort(Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A port that a container listens on."""

    container_port: Annotated[values.PortNumber, said("Its number.")]
    host_port: Annotated[
        values.Count | None,
        said(
            "From version 1.41 on: the port of the host that is to lead to it; 0: none. Before that it changes nothing."
        ),
    ] = None
    name: Annotated[str | None, said("Changes nothing.")] = None
    protocol: Annotated[Literal["TCP", "UDP"] | None, said("Nothing: TCP.")] = None


class TemplateContainer(Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """One container of a capsule."""

    image: Annotated[Image, said("What it is made of: [REGISTRY/]NAME[:TAG][@DIGEST].")]
    name: Annotated[Name | None, said("Becomes the end of its full name, capsule-CAPSULE-NAME.")] = None
    command: Annotated[
        Words | None, said("What is given to the entrypoint of the image, instead of what the image says.")
    ] = None
    args: Annotated[Words | None, said("What follows the command; alone, it is the command.")] = None
    env: Annotated[dict[Variable, str] | None, said("Environment variables, on top of those of the image.")] = None
    labels: Annotated[dict[Key, values.Text] | None, said("Words of the owner's, which mean nothing here.")] = None
    work_dir: Annotated[Path | None, said("The directory in which it starts.")] = None
    image_pull_policy: Annotated[
        Literal["never", "always", "ifnotpresent", "Never", "Always", "IfNotPresent"] | None,
        said("When the image is fetched. Admins only."),
    ] = None
    stdin: Annotated[values.PlainTruth | None, said("Whether its input stays open.")] = None
    tty: Annotated[values.PlainTruth | None, said("Whether it has a terminal.")] = None
    resources: Annotated[TemplateResources | None, said("What it needs.")] = None
    ports: Annotated[
        list[TemplatePort] | None, said("Ports that it listens on. Said and shown; nothing is opened by them yet.")
    ] = None
    volume_mounts: Annotated[
        Annotated[list[TemplateMount], Meta(max_length=_MOST)] | None,
        said("The volumes of the capsule that it mounts, and where."),
    ] = None


class TemplateSpec(Struct, kw_only=True, rename="camel"):
    """What a capsule is made of."""

    containers: Annotated[
        Annotated[list[TemplateContainer], Meta(min_length=1, max_length=_MOST)],
        said("The containers that run side by side."),
    ]
    init_containers: Annotated[
        Annotated[list[TemplateContainer], Meta(max_length=_MOST)] | None,
        said("Containers that run before them, one after the other, each to a good end."),
    ] = None
    restart_policy: Annotated[
        Restart | None,
        said(
            "When a container that ended is started again; nothing: Always. One that runs before the others never is once it has ended well."
        ),
    ] = None
    volumes: Annotated[
        Annotated[list[TemplateVolume], Meta(max_length=_MOST)] | None,
        said("Volumes that its containers mount; each has to be mounted by one of them at least."),
    ] = None


class CapsuleTemplate(Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A capsule: containers that are placed, kept and deleted as one."""

    kind: Annotated[Literal["capsule", "Capsule"], said("That it is one.")]
    metadata: Annotated[TemplateMetadata, said("What is said about it; may be empty. Other keys change nothing.")]
    spec: Annotated[TemplateSpec, said("What it is made of. Other keys change nothing.")]
    capsule_version: Annotated[Literal["beta", "Beta"] | None, said("Of the template.")] = None
    restart_policy: Annotated[Restart | None, said("Where the spec has none.")] = None
    availability_zone: Annotated[Zone | None, said("The zone in which it has to be.")] = None


def spec(
    asked: CapsuleTemplate, place: str, volumes: Mapping[str, VolumeId] = _NONE, *, publishing: bool = True
) -> CapsuleSpec:
    """What was asked for, wanted running; the containers have no ids yet, and the names that they were given. `volumes` are those of the template, by
    the names that it has for them. Ports of the host count only if `publishing`.

    Raises Invalid for what contradicts itself or is not offered, with its place, which begins with `place`.
    """
    within, policy = f"{place}.spec", asked.spec.restart_policy or asked.restart_policy or "Always"
    wanted = CapsuleSpec(
        containers=tuple(
            _container(one, f"{within}.containers[{number}]", _restart(policy), volumes)
            for number, one in enumerate(asked.spec.containers)
        ),
        init=tuple(
            _container(one, f"{within}.initContainers[{number}]", _restart_initial(policy), volumes)
            for number, one in enumerate(asked.spec.init_containers or ())
        ),
        desired=Desired.RUNNING,
        availability_zone=asked.availability_zone,
        labels=translate.plain(asked.metadata.labels, f"{place}.metadata.labels"),
        annotations=translate.plain(asked.metadata.annotations, f"{place}.metadata.annotations"),
        published=_published(asked.spec, within) if publishing else (),
    )
    if idle := [name for name, volume_id in volumes.items() if volume_id not in wanted.volumes()]:
        raise form.invalid(
            f"{within}.volumes", "Volume mount parameters are invalid: no container mounts it.", value=", ".join(idle)
        )
    return wanted


def _published(asked: TemplateSpec, place: str) -> tuple[Published, ...]:
    """They share their ports: of two containers one can listen on each."""
    wanted = [
        _lead(port, f"{place}.containers[{number}].ports[{each}]")
        for number, one in enumerate(asked.containers)
        for each, port in enumerate(one.ports or ())
        if port.host_port
    ]
    return translate.published(wanted, f"{place}.containers")


def _lead(port: TemplatePort, place: str) -> Published:
    number = int(port.host_port or 0)
    if number > _LAST_PORT:
        raise form.invalid(f"{place}.hostPort", f"It must be a whole number from 0 to {_LAST_PORT}.", value=number)
    protocol = (port.protocol or "TCP").lower()
    return Published(host_port=number, port=int(port.container_port), protocol=protocol)


def _container(
    asked: TemplateContainer, place: str, restart: RestartPolicy, volumes: Mapping[str, VolumeId]
) -> Container:
    try:
        Reference.parse(asked.image)
    except errors.Invalid as malformed:
        raise form.invalid(f"{place}.image", malformed.message, value=asked.image) from malformed
    requests = (asked.resources or TemplateResources()).requests or TemplateRequests()
    return Container(
        id=ContainerId(""),
        name=asked.name or "",
        image=asked.image,
        pull=PullPolicy(asked.image_pull_policy.lower()) if asked.image_pull_policy else None,
        command=_command(asked, place),
        environment=translate.plain(asked.env, f"{place}.env"),
        labels=translate.plain(asked.labels, f"{place}.labels"),
        workdir=asked.work_dir or None,
        interactive=bool(asked.stdin),
        tty=bool(asked.tty),
        limits=Resources(cpu=float(requests.cpu or 0), memory=int(requests.memory or 0)),
        restart=restart,
        ports=tuple(
            ContainerPort(number=int(one.container_port), protocol=(one.protocol or "TCP").lower())
            for one in asked.ports or ()
        ),
        mounts=mounts.in_template(asked.volume_mounts or (), f"{place}.volumeMounts", volumes),
    )


def _command(asked: TemplateContainer, place: str) -> tuple[str, ...] | None:
    """As in Zun, and not as in Kubernetes: the entrypoint of the image stays."""
    where = "command" if asked.command else "args"
    return translate.arguments([*_words(asked.command), *_words(asked.args)], f"{place}.{where}")


def _words(asked: Words | None) -> Iterator[str]:
    return (word for word in asked or () if word is not None)


def _restart(policy: str) -> RestartPolicy:
    match policy:
        case "Never":
            return RestartPolicy(name=RestartName.NO)
        case "OnFailure":
            return RestartPolicy(name=RestartName.ON_FAILURE)
        case _:
            return RestartPolicy(name=RestartName.ALWAYS)


def _restart_initial(policy: str) -> RestartPolicy:
    """One that has ended well is done."""
    return RestartPolicy(name=RestartName.NO if policy == "Never" else RestartName.ON_FAILURE)
