"""What each request about containers may carry, which version each part came with, and what this deployment does not offer yet.

Both the validation and the OpenAPI document come from these definitions. Everywhere `null` means the same as leaving a key out.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from higgins.api.zun import mounts as mounting
from higgins.api.zun import reach, values
from higgins.api.zun.form import Form, Gate, Unoffered, invalid
from higgins.api.zun.microversion import OURS, Version
from higgins.api.zun.values import said
from higgins.model.query import SORT_KEYS
from higgins.service.networks import MOST

# A pattern's `$` alone would let a line break through at the end; the look-ahead does not, in Python as in ECMAScript.
Name = Annotated[str, Meta(min_length=2, max_length=255, pattern="^[a-zA-Z0-9][a-zA-Z0-9_.-]+$(?!\n)")]
Image = Annotated[str, Meta(min_length=2, max_length=255, pattern="[a-zA-Z0-9][a-zA-Z0-9_.-]")]
# Linux has no longer one, and a runtime would only find out when it starts the container.
Hostname = Annotated[str, Meta(min_length=1, max_length=63, pattern="^[a-zA-Z0-9._-]*$(?!\n)")]
HostName = Annotated[str, Meta(min_length=1, max_length=255, pattern="^[a-zA-Z0-9._-]*$(?!\n)")]
Zone = Annotated[str, Meta(min_length=1, max_length=255)]
Path = Annotated[str, Meta(max_length=4096)]
Key = Annotated[str, Meta(min_length=1)]
Variable = Annotated[str, Meta(min_length=1, pattern="^[^=]+$")]
# Splitting takes the square of its length, and nobody else is served meanwhile: a megabyte would take half a minute.
CommandLine = Annotated[str, Meta(max_length=32 * 1024)]
Several = str | list[str]
"""A query parameter that may be repeated."""
# Told, but checked later: the refusal lists them.
SortKey = Annotated[str, Meta(extra_json_schema={"enum": list(SORT_KEYS)})]
SortDirection = Annotated[str, Meta(extra_json_schema={"enum": ["asc", "desc"]})]


class Nothing(Struct, forbid_unknown_fields=True):
    """No parameters."""


class RestartPolicy(Struct, forbid_unknown_fields=True, kw_only=True):
    """When a container that ended is started again."""

    name: Annotated[
        Literal["no", "always", "on-failure", "unless-stopped"],
        said(
            "After which ends: none, all, those with an exit code other than 0, or all but those that were asked for."
        ),
    ] = field(name="Name")
    maximum: Annotated[
        values.Count | None, said("How often in a row, with on-failure; 0 and nothing: without limit.")
    ] = field(default=None, name="MaximumRetryCount")


class Healthcheck(Struct, forbid_unknown_fields=True, kw_only=True):
    """How a container's health is found out; times are seconds."""

    cmd: Annotated[
        Annotated[str, Meta(min_length=1, max_length=255)] | None,
        said("The command, run by a shell inside the container: 0 is healthy."),
    ] = None
    interval: Annotated[
        Annotated[int, Meta(ge=0, le=86400)] | None,
        said("Seconds between two checks; 0 and nothing: what the runtime usually takes, 30."),
    ] = None
    retries: Annotated[
        Annotated[int, Meta(ge=0, le=86400)] | None,
        said("Failures in a row that make it unhealthy; 0 and nothing: what the runtime usually takes, 3."),
    ] = None
    timeout: Annotated[
        Annotated[int, Meta(ge=0, le=86400)] | None,
        said("Seconds after which a check has failed; 0 and nothing: what the runtime usually takes, 30."),
    ] = None


class CreateContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """A container to be made."""

    image: Annotated[Image, said("What it is made of: [REGISTRY/]NAME[:TAG][@DIGEST]. Without tag and digest: latest.")]
    run: Annotated[values.Truth | None, said("Whether it is started, too. May stand in the query.")] = None
    dry_run: Annotated[values.Truth | None, said("Whether to say only what would happen. May stand in the query.")] = (
        None
    )
    name: Annotated[
        Name | None, said("Its name in the project; several may have the same. Without one it gets one.")
    ] = None
    command: Annotated[
        CommandLine | list[values.Text] | None,
        said(
            "What is run, instead of what the image says. Below version 1.20 a string, split as a shell does; from then on a list of words."
        ),
    ] = None
    entrypoint: Annotated[
        list[values.Text] | None, said("What the command is given to as arguments, instead of what the image says.")
    ] = None
    cpu: Annotated[values.Cores | None, said("The cores that it may use, as a limit.")] = None
    cpu_policy: Annotated[Literal["shared", "dedicated"] | None, said("Whether it shares its cores with others.")] = (
        None
    )
    memory: Annotated[values.Mebibytes | None, said("The memory that it may use, in MiB.")] = None
    disk: Annotated[values.Gibibytes | None, said("The disk that it may fill, in GiB.")] = None
    workdir: Annotated[Path | None, said("The directory in which it starts, instead of what the image says.")] = None
    environment: Annotated[
        dict[Variable, str] | None, said("Environment variables, on top of those of the image; 128 KiB in all.")
    ] = None
    labels: Annotated[
        dict[Key, values.Text] | None,
        said("Words of the owner's, which mean nothing here; 128 KiB in all. Numbers and truths are written out."),
    ] = None
    restart_policy: Annotated[
        RestartPolicy | None, said("When it is started again after it ended; nothing: never.")
    ] = None
    interactive: Annotated[
        values.PlainTruth | None,
        said("Whether its input stays open, to be attached to. From 1.20 to 1.35 it sets tty as well."),
    ] = None
    tty: Annotated[values.PlainTruth | None, said("Whether it has a terminal.")] = None
    auto_remove: Annotated[bool | None, said("Whether it is deleted once it has ended.")] = None
    auto_heal: Annotated[values.PlainTruth | None, said("Whether it is made again if it stays unhealthy.")] = None
    image_driver: Annotated[
        Literal["docker", "glance", "None"] | None, said("Where the image comes from; None and null: a registry.")
    ] = None
    image_pull_policy: Annotated[
        Literal["never", "always", "ifnotpresent", "Never", "Always", "IfNotPresent"] | None,
        said("When the image is fetched, in any case of letters. Admins only."),
    ] = None
    security_groups: Annotated[
        Annotated[list[reach.Ref], Meta(max_length=64)] | None,
        said("Names or ids. Only what one of them allows may come in; nothing: all that comes from its networks."),
    ] = None
    exposed_ports: Annotated[
        Annotated[dict[str, Any], Meta(max_length=256)] | None,
        said(
            "The only ports that may be reached, such as 80/tcp, each with {} for a value. From version 1.20 on not together with security_groups."
        ),
    ] = None
    published_ports: Annotated[
        Annotated[list[reach.PublishPort], Meta(max_length=64)] | None,
        said("The ports that ports of its host are to lead to, from wherever the host is reached."),
    ] = None
    nets: Annotated[
        Annotated[list[reach.Attachment], Meta(max_length=MOST)] | None,
        said("The networks to be on; the world is reached through the first. Nothing: the one of the project."),
    ] = None
    mounts: Annotated[mounting.Mounts | None, said("Volumes and files to mount; 64 at most, and 256 KiB of files.")] = (
        None
    )
    hostname: Annotated[Hostname | None, said("The name that it has for itself.")] = None
    runtime: Annotated[
        Annotated[str, Meta(max_length=255)] | None,
        said("The OCI runtime; GET /v1/capabilities lists those that there are. Admins only."),
    ] = None
    privileged: Annotated[
        values.PlainTruth | None,
        said("Whether it may do on the host what root may. Nobody may ask for this, unless policy says so."),
    ] = None
    healthcheck: Annotated[Healthcheck | None, said("How its health is found out, instead of what the image says.")] = (
        None
    )
    hints: Annotated[
        dict[str, values.Text] | None,
        said("Kept with it. Nothing is placed by them yet."),
    ] = None
    availability_zone: Annotated[Zone | None, said("The zone in which it has to be.")] = None
    registry: Annotated[
        Name | None, said("The registry, by name or id, whose domain and credentials the image is fetched with.")
    ] = None
    host: Annotated[HostName | None, said("The host on which it has to be. Admins only.")] = None


class UpdateContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """What can be changed of a container."""

    name: Annotated[Name | None, said("Its new name.")] = None
    cpu: Annotated[values.Cores | None, said("The cores that it may use from now on.")] = None
    memory: Annotated[values.Mebibytes | None, said("The memory that it may use from now on, in MiB.")] = None
    auto_heal: Annotated[values.PlainTruth | None, said("Whether it is made again if it stays unhealthy.")] = None


class ListContainers(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which containers, in which order, and which page of them."""

    name: Annotated[Several | None, said("Only those of this name. Repeated: of any of them; so are all filters.")] = (
        None
    )
    image: Annotated[Several | None, said("Only those made of this image, as it was asked for.")] = None
    project_id: Annotated[
        Several | None, said("Only those of this project; wider than the caller's own only with all_projects.")
    ] = None
    user_id: Annotated[Several | None, said("Only those that this user made.")] = None
    memory: Annotated[Several | None, said("Only those with this limit, in MiB.")] = None
    host: Annotated[Several | None, said("Only those on this host. Admins only.")] = None
    task_state: Annotated[Several | None, said("Only those about which this is being done.")] = None
    status: Annotated[Several | None, said("Only those that are this.")] = None
    auto_remove: Annotated[
        values.AnyTruth | None, said("Only those that are deleted once they have ended; or only the others.")
    ] = None
    limit: Annotated[values.Limit | None, said("How many at most; a deployment may give fewer.")] = None
    marker: Annotated[str | None, said("The id of the last one of the page before.")] = None
    sort_key: Annotated[SortKey | None, said("What they are sorted by; nothing: in order of creation.")] = None
    sort_dir: Annotated[SortDirection | None, said("Upwards or downwards; nothing: upwards.")] = None
    all_projects: Annotated[values.AnyTruth | None, said("Those of all projects. Admins only.")] = None
    # Accepted because Zun accepts them; they change nothing here.
    expand: Annotated[str | None, said("Changes nothing.")] = None
    resource_url: Annotated[str | None, said("Changes nothing.")] = None


class Show(Struct, kw_only=True):
    """Where to look for a container or a capsule, and what to wait for."""

    all_projects: Annotated[values.AnyTruth | None, said("Look in all projects; admins always do.")] = None
    wait: Annotated[
        values.Statuses | None,
        said(
            "Statuses with commas between them, Deleted among them: the answer comes when it is one of them, or Error, or gone."
        ),
    ] = None
    timeout: Annotated[
        values.Patience | None, said("Seconds after which the answer comes in any case; nothing: 60.")
    ] = None


class DeleteContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """How a container is deleted."""

    force: Annotated[
        values.Truth | None, said("Whatever it is doing, and even if its host does not answer. Admins only.")
    ] = None
    stop: Annotated[values.Truth | None, said("Also if it runs.")] = None
    all_projects: Annotated[values.Truth | None, said("Look in all projects. Admins only.")] = None


class StopContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """How long a container has to end by itself, in seconds."""

    timeout: Annotated[values.Count | None, said("Seconds after which it is killed; nothing: 10.")] = None


class RebuildContainer(Struct, kw_only=True):
    """From which image a container is made anew; nothing: from its own."""

    image: Annotated[Image | None, said("From now on it is made of this.")] = None
    image_driver: Annotated[
        Literal["docker", "glance", "None"] | None, said("Where the image comes from; None and null: a registry.")
    ] = None


class KillContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which signal is sent."""

    signal: Annotated[
        values.Signal | None, said("In any of five spellings: SIGHUP, HUP, sighup, hup, 1. None and nothing: SIGKILL.")
    ] = None


class RenameContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """The new name."""

    name: Annotated[Name, said("Its new name.")]


class ReadLogs(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which part of what a container printed."""

    stdout: Annotated[values.Truth | None, said("Whether with its output; nothing: yes.")] = None
    stderr: Annotated[values.Truth | None, said("Whether with its complaints; nothing: yes.")] = None
    timestamps: Annotated[values.Truth | None, said("Whether each line begins with its time.")] = None
    tail: Annotated[values.Tail | None, said("Only so many lines from the end; every other word means all.")] = None
    since: Annotated[
        values.Moment | None, said("Only what came after: seconds since the epoch, or 2026-11-21 10:20:30,000 in UTC.")
    ] = None
    follow: Annotated[
        values.Truth | None, said("Whether the answer goes on, as plain text, until the container ends.")
    ] = None


class ExecuteCommand(Struct, forbid_unknown_fields=True, kw_only=True):
    """A command to be run inside a container."""

    command: Annotated[
        Annotated[CommandLine, Meta(min_length=1)],
        said("The command, split into words as a shell does; no shell is involved."),
    ]
    run: Annotated[
        values.PlainTruth | None,
        said(
            "Run it to its end and answer with its output; false: answer with the address of a WebSocket that runs it."
        ),
    ] = None
    interactive: Annotated[values.PlainTruth | None, said("Whether it has an input.")] = None
    tty: Annotated[
        values.PlainTruth | None,
        said("Whether it has a terminal; nothing: with run=false yes, with detach no."),
    ] = None
    stdin: Annotated[values.PlainTruth | None, said("Whether it has an input, with run=false; nothing: yes.")] = None
    detach: Annotated[
        values.PlainTruth | None,
        said("Begin it and answer at once: it has no input, and goes on until it ends or its container does."),
    ] = None


def _command_form(version: Version, params: CreateContainer) -> CreateContainer:
    """A string until 1.19, a list from 1.20 on."""
    if version < (1, 20) and isinstance(params.command, list):
        raise invalid("command", "Below version 1.20 it must be a string.", value=params.command)
    if version >= (1, 20) and isinstance(params.command, str):
        raise invalid("command", "From version 1.20 on it must be a list of strings.", value=params.command)
    return params


def _tty_follows_interactive(version: Version, params: CreateContainer) -> CreateContainer:
    """From 1.20 to 1.35 there was one word for both."""
    if (1, 20) <= version < (1, 36) and params.interactive is not None:
        return msgspec.structs.replace(params, tty=params.interactive)
    return params


def _groups_or_ports(version: Version, params: CreateContainer) -> CreateContainer:
    """The exposed ports are a group of their own."""
    if version >= (1, 20) and params.exposed_ports and params.security_groups:
        raise invalid("exposed_ports", "It cannot stand beside security_groups.")
    return params


def _one_of_two(version: Version, params: CreateContainer) -> CreateContainer:
    """Each of `nets` is a network or a port."""
    for place, one in enumerate(params.nets or ()):
        if (one.network is None) == (one.port is None):
            raise invalid(f"nets[{place}]", "It needs exactly one of network and port.")
        if one.v6 is not None:
            raise invalid(f"nets[{place}].v6-fixed-ip", reach.NO_IPV6, value=one.v6)
    return params


def _mounts(version: Version, params: CreateContainer) -> CreateContainer:
    mounting.check(version, params.mounts or ())
    return params


NOTHING = Form(params=Nothing, strict=False)
CREATE = Form(
    params=CreateContainer,
    since={"host": Version(1, 39), "entrypoint": Version(1, 40), "dry_run": OURS, "published_ports": OURS},
    query=("run", "dry_run"),
    placed=("nets", "published_ports", "mounts"),
    gates=(
        Gate("auto_remove", Version(1, 3), lambda c: c.auto_remove is not None),
        Gate("runtime", Version(1, 5), lambda c: c.runtime is not None),
        Gate("hostname", Version(1, 9), lambda c: c.hostname is not None),
        Gate("mounts", Version(1, 11), lambda c: bool(c.mounts)),
        Gate("privileged", Version(1, 21), lambda c: c.privileged is not None),
        Gate("healthcheck", Version(1, 22), lambda c: c.healthcheck not in (None, Healthcheck())),
        Gate("exposed_ports", Version(1, 24), lambda c: c.exposed_ports is not None),
        Gate("registry", Version(1, 31), lambda c: c.registry is not None),
    ),
    steps=(_command_form, _tty_follows_interactive, _one_of_two, _groups_or_ports, _mounts),
    unoffered=(
        Unoffered("image_driver", "images from Glance", lambda c: c.image_driver == "glance"),
        Unoffered("cpu_policy", "dedicated CPUs", lambda c: c.cpu_policy == "dedicated"),
    ),
)
UPDATE = Form(params=UpdateContainer, query=())
RESIZE = Form(params=UpdateContainer)
LIST = Form(params=ListContainers)
SHOW = Form(params=Show, strict=False, since={"wait": OURS, "timeout": OURS})
DELETE = Form(
    params=DeleteContainer,
    gates=(
        Gate("force", Version(1, 7), lambda d: bool(d.force) and not d.stop),
        Gate("stop", Version(1, 12), lambda d: bool(d.stop)),
    ),
)
STOP = Form(params=StopContainer)
REBUILD = Form(
    params=RebuildContainer,
    strict=False,
    unoffered=(Unoffered("image_driver", "images from Glance", lambda c: c.image_driver == "glance"),),
)
KILL = Form(params=KillContainer)
RENAME = Form(params=RenameContainer, strict=False)
LOGS = Form(params=ReadLogs, since={"follow": OURS})
EXECUTE = Form(params=ExecuteCommand, since={"tty": OURS, "stdin": OURS, "detach": OURS})
