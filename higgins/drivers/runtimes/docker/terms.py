"""A container in the terms of a Docker Engine, and an engine's container in ours."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiodocker

from higgins import errors
from higgins.drivers import documents, lost, oci
from higgins.drivers.engine import Engine
from higgins.logic.reference import Reference
from higgins.model.capsule import Container, Healthcheck, Observation, Resources, Stage
from higgins.model.host import Inventory
from higgins.model.ids import CapsuleId, ContainerId
from higgins.model.volume import Mount, MountKind
from higgins.protocols.runtime import Bound, Origin

MIB = 1024**2
_SECOND = 10**9
"""In nanoseconds."""

OWNER = "org.higgins.owner"
CAPSULE = "org.higgins.capsule"
CONTAINER = "org.higgins.container"
EPOCH = "org.higgins.epoch"
RESTARTS = "org.higgins.restarts"
REBUILDS = "org.higgins.rebuilds"
PROJECT = "org.higgins.project"
WARM = "org.higgins.warm"
"""On sandboxes that were made before anybody asked: how they were made. Whose one is by now its name tells."""
LABELS = (OWNER, CAPSULE, CONTAINER, EPOCH, RESTARTS, REBUILDS, PROJECT)

KEYS = 16
NEVER_DETACH = ",".join(["ctrl-@"] * KEYS)
"""A terminal must pass on every byte; the engine's default takes ctrl-p ctrl-q away."""

_TAKEN = re.compile(r"/?higgins-([^.]+)\.([^.]+)\.([0-9]+)")

_PERIOD = 100_000
"""Microseconds in which a container may use its share of the cores. A quota can be taken away again; what the engine calls NanoCpus cannot."""
_NO_QUOTA = -1
_ALL_MEMORY = 2**63 - 4096
"""More than there is, to the page: the engine knows no way to take a limit of memory away, and this is what the kernel says where there is none."""


def name(container_id: ContainerId) -> str:
    """What the engine calls it."""
    return f"higgins-{container_id}"


def taken_name(origin: Origin, sandbox: ContainerId) -> str:
    """What the engine calls a sandbox from the store, once it is somebody's."""
    return f"{name(sandbox)}.{origin.capsule_id}.{origin.epoch}"


def warm_name(mark: str) -> str:
    """What it calls one before."""
    return f"higgins-warm-{mark}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """For whom something was made."""

    container_id: ContainerId
    capsule_id: CapsuleId
    epoch: int
    restarts: int = 0
    rebuilds: int = 0


def container_id(labels: Mapping[str, str], name: str) -> ContainerId | None:
    """Which of ours it is; None: it is nobody's yet."""
    if CONTAINER in labels:
        return ContainerId(labels[CONTAINER])
    taken = _TAKEN.fullmatch(name)
    return None if taken is None else ContainerId(taken[1])


def marks(labels: Mapping[str, str], name: str) -> Marks | None:
    """Of something of ours; None: it is nobody's yet."""
    if CONTAINER in labels:
        return Marks(
            container_id=ContainerId(labels[CONTAINER]),
            capsule_id=CapsuleId(labels[CAPSULE]),
            epoch=int(labels[EPOCH]),
            restarts=int(labels[RESTARTS]),
            rebuilds=int(labels.get(REBUILDS, 0)),
        )
    taken = _TAKEN.fullmatch(name)
    if taken is None:
        return None
    return Marks(container_id=ContainerId(taken[1]), capsule_id=CapsuleId(taken[2]), epoch=int(taken[3]))


def container(
    origin: Origin,
    wanted: Container,
    bound: Sequence[Bound] = (),
    *,
    owner: str,
    confinement: Mapping[str, object],
    sandbox: str = "",
) -> object:
    """What the engine is asked to make; `confinement` is the same for all containers, `sandbox` what it calls the one that it goes into, if any."""
    return {
        # Never as it was written: the engine would also take it for the beginning of an image's id, whoever's that is.
        "Image": str(Reference.parse(wanted.image)),
        "Cmd": _or_none(wanted.command),
        "Entrypoint": _or_none(wanted.entrypoint),
        "Env": [f"{name}={value}" for name, value in (wanted.environment or {}).items()],
        "WorkingDir": wanted.workdir or "",
        # In a sandbox it is the sandbox's, and the engine refuses to be told another.
        "Hostname": (wanted.hostname or "") if origin.sandbox is None else "",
        "Tty": wanted.tty,
        "OpenStdin": wanted.interactive,
        # Or nobody could ever tell it that its input is over.
        "StdinOnce": wanted.interactive and not wanted.tty,
        "Healthcheck": _healthcheck(wanted.healthcheck) if wanted.healthcheck else None,
        # Ours come last: nobody may pass a container off as another's.
        "Labels": {**(wanted.labels or {}), **labels(origin, wanted.id, owner)},
        "HostConfig": {
            **confinement,
            **_own_confinement(origin, wanted),
            **_shared(origin, sandbox),
            **_mounts(wanted, bound),
        },
    }


def sandbox(
    labels: Mapping[str, str],
    *,
    image: str,
    handler: str | None,
    hostname: str | None,
    network: Mapping[str, object],
) -> object:
    """What the engine is asked to make for containers to share; nothing of a tenant's ever runs in it."""
    host: dict[str, object] = {
        "IpcMode": "shareable",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "RestartPolicy": {"Name": "no"},
        "LogConfig": {"Type": "none"},
        **network,
    }
    if handler is not None:
        host["Runtime"] = handler
    return {
        "Image": image,
        "Hostname": hostname or "",
        "Labels": labels,
        # It hears nothing else, and an engine that stops would wait ten seconds for it.
        "StopSignal": "SIGKILL",
        "HostConfig": host,
    }


def nothing(nameserver: str | None) -> Mapping[str, object]:
    """No network; whatever will be plugged in, `nameserver` is there to be asked for names."""
    return {"NetworkMode": "none", **({"Dns": [nameserver]} if nameserver is not None else {})}


def limits(wanted: Resources) -> Mapping[str, int]:
    """All of them, for a container that may have others now. To the engine 0 means "as it is"."""
    return {
        **_cpu(_quota(wanted.cpu) if wanted.cpu else _NO_QUOTA),
        **_memory(wanted.memory * MIB if wanted.memory else _ALL_MEMORY),
    }


def observation(found: documents.Inspected, marks: Marks) -> Observation:
    """What was seen of a container of ours."""
    config, state = found.config, found.state
    ended = state.stage is Stage.EXITED
    finished = state.finished if ended else None
    return Observation(
        container_id=marks.container_id,
        capsule_id=marks.capsule_id,
        epoch=marks.epoch,
        restarts=marks.restarts,
        rebuilds=marks.rebuilds,
        stage=state.stage,
        exit_code=state.exit_code if ended or state.error else None,
        error=oci.brief(state.error) if state.error else None,
        leaving=state.leaving,
        oom_killed=state.oom_killed,
        pid=lost.here(found.id, state.process),
        started_at=state.started,
        # What runs for less than a moment is said to have ended before it began.
        finished_at=max(finished, state.started) if finished and state.started else finished,
        image=found.image,
        hostname=config.hostname or None,
        ports=tuple(sorted({int(port.partition("/")[0]) for port in config.ports or {}})),
        command=tuple(config.command or ()),
        entrypoint=tuple(config.entrypoint or ()),
        limits=_limits(found.host),
        # Of what does not run the engine keeps the last word; but nothing checks it any more.
        health=state.health.told if state.health and state.running else None,
    )


def listed(one: documents.Listed, marks: Marks) -> Observation:
    """What a list tells of a container of ours."""
    return Observation(
        container_id=marks.container_id,
        capsule_id=marks.capsule_id,
        epoch=marks.epoch,
        restarts=marks.restarts,
        rebuilds=marks.rebuilds,
        stage=one.state.stage,
        leaving=one.state.leaving,
    )


def inventory(told: documents.Told, *, capabilities: tuple[str, ...], disk: int) -> Inventory:
    """What the engine tells of its machine; `disk` is in GiB."""
    return Inventory(
        runtime="docker",
        runtime_version=told.version,
        handlers=tuple(sorted(told.handlers or {})),
        default_handler=told.default_handler,
        capabilities=capabilities,
        capacity=Resources(cpu=float(told.cores), memory=told.memory // MIB, disk=disk),
        architecture=told.architecture,
        os_type=told.os_type,
        os=told.os,
        kernel_version=told.kernel_version,
        labels=dict(label.partition("=")[::2] for label in told.labels or ()),
        containers=told.containers,
    )


async def sorted_by_remedy(engine: Engine, error: aiodocker.DockerError, doing: str) -> errors.Failure:
    """What a refusal means that is not special to what was being done, such as "start the container"."""
    return oci.understand(error.message) or await engine.explain(error, doing)


def no_container(error: aiodocker.DockerError) -> bool:
    """Whether the engine refuses because there is no such container."""
    return "no such container" in error.message.lower()


def no_image(error: aiodocker.DockerError) -> bool:
    """Whether the engine refuses because there is no such image."""
    return bool(error.status == 404 and "no such image" in error.message.lower())


def labels(origin: Origin, container_id: ContainerId, owner: str) -> Mapping[str, str]:
    return {
        OWNER: owner,
        CAPSULE: origin.capsule_id,
        CONTAINER: container_id,
        EPOCH: str(origin.epoch),
        RESTARTS: str(origin.restarts),
        REBUILDS: str(origin.rebuilds),
        PROJECT: origin.project_id,
    }


def _shared(origin: Origin, sandbox: str) -> Mapping[str, object]:
    if origin.sandbox is None:
        return {}
    there = f"container:{sandbox}"
    return {"NetworkMode": there} if origin.alone else {"NetworkMode": there, "IpcMode": there}


def _mounts(wanted: Container, bound: Sequence[Bound]) -> Mapping[str, object]:
    return {
        # The engine makes no directory on the host for what is missing there, as it would for what it calls binds.
        "Mounts": [
            {"Type": "bind", "Source": one.source, "Target": one.destination, "ReadOnly": one.read_only}
            for one in bound
        ],
        "Tmpfs": {mount.destination: _tmpfs(mount) for mount in wanted.mounts if mount.kind is MountKind.TMPFS},
    }


def _tmpfs(mount: Mount) -> str:
    return ",".join(
        ["mode=1777", *([f"size={mount.size}m"] if mount.size else []), *(["ro"] if mount.read_only else [])]
    )


def _own_confinement(origin: Origin, wanted: Container) -> Mapping[str, object]:
    amounts = wanted.limits
    host: dict[str, object] = {"Privileged": wanted.privileged}
    if not wanted.privileged:
        host["SecurityOpt"] = ["no-new-privileges"]
    if origin.handler is not None:
        host["Runtime"] = origin.handler
    if amounts.memory:
        host |= _memory(amounts.memory * MIB)
    if amounts.cpu:
        host |= _cpu(_quota(amounts.cpu))
    if amounts.disk:
        host["StorageOpt"] = {"size": f"{amounts.disk}G"}
    return host


def _or_none(words: tuple[str, ...] | None) -> list[str] | None:
    """An empty list means the same to the engine, but not to every version of it."""
    return list(words) if words else None


def _cpu(quota: int) -> Mapping[str, int]:
    return {"CpuPeriod": _PERIOD, "CpuQuota": quota}


def _quota(cores: float) -> int:
    return round(cores * _PERIOD)


def _memory(limit: int) -> Mapping[str, int]:
    # Without a limit of its own, swap would double what was asked for.
    return {"Memory": limit, "MemorySwap": limit}


def _limits(host: documents.Host) -> Resources:
    return Resources(
        cpu=host.quota / _PERIOD if host.quota > 0 else 0.0,
        memory=host.memory // MIB if host.memory < _ALL_MEMORY else 0,
    )


def _healthcheck(check: Healthcheck) -> Mapping[str, object]:
    """What is not said is 0, with which the engine means its defaults."""
    return {
        "Test": ["CMD-SHELL", check.test],
        "Interval": (check.interval or 0) * _SECOND,
        "Timeout": (check.timeout or 0) * _SECOND,
        "Retries": check.retries or 0,
    }
