"""Containers on a Docker Engine, or on anything that speaks its API from 1.41 on."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Self

import aiodocker
import msgspec

from higgins import errors
from higgins.drivers import documents, lost, oci
from higgins.drivers.engine import Engine, Parameters, demultiplex, lines
from higgins.drivers.reference import Reference
from higgins.model.capsule import Container, Healthcheck, Observation, Resources, Stage
from higgins.model.host import Inventory
from higgins.model.ids import CapsuleId, ContainerId
from higgins.model.live import ExecResult
from higgins.protocols.runtime import CAPABILITIES, Origin

MIB = 1024**2
GIB = 1024**3
SECOND = 10**9
"""In nanoseconds."""

OWNER = "org.higgins.owner"
CAPSULE = "org.higgins.capsule"
CONTAINER = "org.higgins.container"
EPOCH = "org.higgins.epoch"
RESTARTS = "org.higgins.restarts"
REBUILDS = "org.higgins.rebuilds"
PROJECT = "org.higgins.project"


class DockerRuntime:
    """Runs containers on a Docker Engine. Needs no engine to be constructed, and recovers when a lost one returns."""

    def __init__(
        self,
        *,
        url: str = "unix:///var/run/docker.sock",
        owner: str = "higgins",
        pids_limit: int = 4096,
        log_size: int = 16,
        log_files: int = 2,
        starts_at_once: int = 8,
        output_limit: int = 16 * MIB,
    ) -> None:
        """`owner` marks what is ours, so that several agents can share an engine and see none of each other's containers.

        `pids_limit` 0 is none. `log_size` is in MiB for each of `log_files`; `output_limit` is how many bytes of a command's output are
        kept. More starts at once than about four times the cores gain nothing and make each of them slower.
        """
        self._engine = Engine(url)
        self._owner = owner
        self._pids_limit = pids_limit
        self._log_options = {"max-size": f"{log_size}m", "max-file": str(log_files)}
        self._starts = asyncio.Semaphore(starts_at_once)
        self._looks = asyncio.Semaphore(16)
        self._output_limit = output_limit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.close()

    # Runtime

    async def list(self, containers: Sequence[ContainerId] | None = None) -> Mapping[ContainerId, Observation]:
        if containers is None:
            return await self._ours()
        seen = [await self._look(containers[0])] if len(containers) == 1 else await self._look_at(containers)
        return {one.container_id: one for one in seen if one is not None}

    def watch(self) -> AsyncIterator[ContainerId]:
        # From this moment on, not from when the engine was reached: what happens in between is told too.
        return self._events(since=time.time())

    async def create(self, origin: Origin, container: Container) -> None:
        body = {
            # Never as it was written: the engine would also take it for the beginning of an image's id, whoever's that is.
            "Image": str(Reference.parse(container.image)),
            "Cmd": _or_none(container.command),
            "Entrypoint": _or_none(container.entrypoint),
            "Env": [f"{name}={value}" for name, value in (container.environment or {}).items()],
            "WorkingDir": container.workdir or "",
            "Hostname": container.hostname or "",
            "Tty": container.tty,
            "OpenStdin": container.interactive,
            "Healthcheck": _healthcheck(container.healthcheck) if container.healthcheck else None,
            # Ours come last: nobody may pass a container off as another's.
            "Labels": {**(container.labels or {}), **self._labels(origin, container.id)},
            "HostConfig": self._confinement(origin, container),
        }
        for pause in (0.2, 0.5, 1.0, None):
            try:
                await self._engine.call("POST", "containers/create", {"name": _name(container.id)}, body=body)
                return
            except aiodocker.DockerError as error:
                if error.status != 409:
                    raise await self._uncreated(error, container) from error
                if await self._is_there(origin, container):
                    return
                if pause is None:
                    raise errors.Unavailable(
                        f"Docker keeps the name {_name(container.id)} for a container that it is making or removing.",
                        retry_after=5,
                    ) from error
            await asyncio.sleep(pause)

    async def start(self, container_id: ContainerId) -> None:
        async with self._starts:
            try:
                await self._engine.call("POST", f"containers/{_name(container_id)}/start")
            except aiodocker.DockerError as error:
                if "marked for removal" in error.message:
                    # It can never start again; without it, a next look makes it anew.
                    await self.remove(container_id)
                    raise errors.Unavailable(
                        "The container was half removed; it has to be made again.", retry_after=1
                    ) from error
                if lost.SIGNS.search(error.message):
                    await self._end_lost(container_id)
                    raise errors.Unavailable(
                        "Docker died while it started the container, and has lost sight of it; it has to be made again.",
                        retry_after=1,
                    ) from error
                if error.status == 404 and _no_container(error):
                    raise errors.Conflict("The container cannot start: it is gone from Docker.") from error
                if error.status == 409:
                    raise errors.Conflict(f"The container cannot start now: {oci.brief(error.message)}") from error
                raise await self._sorted(error, "start the container") from error

    async def stop(self, container_id: ContainerId, timeout: int) -> None:
        try:
            await self._engine.call(
                "POST",
                f"containers/{_name(container_id)}/stop",
                {"t": timeout},
                patience=timeout + self._engine.patience,
            )
        except aiodocker.DockerError as error:
            if error.status != 404:
                raise await self._sorted(error, "stop the container") from error

    async def remove(self, container_id: ContainerId) -> None:
        try:
            await self._engine.call("DELETE", f"containers/{_name(container_id)}", {"force": True, "v": True})
        except aiodocker.DockerError as error:
            if error.status == 409 and "already in progress" in error.message:
                await self._gone(container_id)
            elif error.status != 404:
                raise await self._sorted(error, "remove the container") from error

    async def inventory(self) -> Inventory:
        try:
            told = await self._engine.read("info", documents.Told)
        except aiodocker.DockerError as error:
            raise await self._sorted(error, "describe itself") from error
        return Inventory(
            runtime="docker",
            runtime_version=told.version,
            handlers=tuple(sorted(told.handlers or {})),
            default_handler=told.default_handler,
            capabilities=tuple(name for name, protocol in CAPABILITIES.items() if isinstance(self, protocol)),
            capacity=Resources(
                cpu=float(told.cores), memory=told.memory // MIB, disk=await asyncio.to_thread(_disk, told.data_root)
            ),
            architecture=told.architecture,
            os_type=told.os_type,
            os=told.os,
            kernel_version=told.kernel_version,
            labels=dict(label.partition("=")[::2] for label in told.labels or ()),
            containers=told.containers,
        )

    # Pauses

    async def pause(self, container_id: ContainerId) -> None:
        await self._freeze(container_id, "pause", Stage.PAUSED)

    async def unpause(self, container_id: ContainerId) -> None:
        await self._freeze(container_id, "unpause", Stage.RUNNING)

    # Signals

    async def kill(self, container_id: ContainerId, signal: str) -> None:
        try:
            await self._engine.call("POST", f"containers/{_name(container_id)}/kill", {"signal": signal})
        except aiodocker.DockerError as error:
            match error.status:
                case 404 | 409:
                    raise errors.Conflict("The container cannot be signalled: it does not run.") from error
                case 400:
                    raise errors.Invalid(f"{signal} is no signal that this host knows.") from error
                case _:
                    raise await self._sorted(error, "signal the container") from error

    # Executes

    async def execute(self, container_id: ContainerId, command: Sequence[str], *, terminal: bool = False) -> ExecResult:
        try:
            made = await self._engine.read(
                f"containers/{_name(container_id)}/exec",
                documents.Made,
                method="POST",
                body={
                    "Cmd": list(command),
                    "AttachStdout": True,
                    "AttachStderr": True,
                    "Tty": terminal,
                    "DetachKeys": NEVER_DETACH if terminal else "",
                },
            )
            output = await self._output(made.id, terminal=terminal)
            return ExecResult(output=output, exit_code=await self._exit_code(made.id))
        except aiodocker.DockerError as error:
            if error.status == 404 and not _no_container(error):
                raise errors.Conflict("The container ended before the command did.") from error
            match error.status:
                case 404 | 409:
                    raise errors.Conflict(
                        "The command cannot be executed: the container does not run, or is paused."
                    ) from error
                case 400 if "exec failed" in error.message:
                    # Newer engines refuse what older ones print.
                    return ExecResult(
                        output=error.message.encode(), exit_code=126 if "permission denied" in error.message else 127
                    )
                case _:
                    raise await self._sorted(error, "execute the command") from error

    # Logs

    async def logs(
        self,
        container_id: ContainerId,
        *,
        stdout: bool,
        stderr: bool,
        timestamps: bool,
        tail: int | None,
        since: float | None,
        follow: bool = False,
    ) -> AsyncIterator[bytes]:
        if not (stdout or stderr):
            return
        parameters: dict[str, str | int | bool] = {
            "stdout": stdout,
            "stderr": stderr,
            "timestamps": timestamps,
            "follow": follow,
        }
        if tail is not None:
            parameters["tail"] = tail
        if since is not None:
            parameters["since"] = f"{since:.9f}"
        try:
            found = await self._inspect(container_id)
            if found is None:
                raise errors.NotFound("Docker has no such container, so there are no logs of it.")
            async with self._engine.stream("GET", f"containers/{_name(container_id)}/logs", parameters) as response:
                pieces = response.content.iter_any() if found.config.tty else demultiplex(response)
                async for piece in pieces:
                    yield piece
        except aiodocker.DockerError as error:
            raise await self._sorted(error, "read the logs") from error

    # Updates

    async def update(self, container_id: ContainerId, limits: Resources) -> None:
        # To the engine 0 means "as it is".
        wanted = {
            **_cpu(_quota(limits.cpu) if limits.cpu else _NO_QUOTA),
            **_memory(limits.memory * MIB if limits.memory else _ALL_MEMORY),
        }
        try:
            await self._engine.call("POST", f"containers/{_name(container_id)}/update", body=wanted)
        except aiodocker.DockerError as error:
            if error.status == 404:
                raise errors.Conflict("The limits cannot be changed: the container is gone from Docker.") from error
            raise await self._sorted(error, "change the limits") from error

    # What they are made of

    def _confinement(self, origin: Origin, container: Container) -> Mapping[str, object]:
        limits = container.limits
        host: dict[str, object] = {
            "Privileged": container.privileged,
            "PidsLimit": self._pids_limit,
            # Restarting is the agent's, which knows what is still wanted.
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "json-file", "Config": self._log_options},
        }
        if not container.privileged:
            host["SecurityOpt"] = ["no-new-privileges"]
        if origin.handler is not None:
            host["Runtime"] = origin.handler
        if limits.memory:
            host |= _memory(limits.memory * MIB)
        if limits.cpu:
            host |= _cpu(_quota(limits.cpu))
        if limits.disk:
            host["StorageOpt"] = {"size": f"{limits.disk}G"}
        return host

    def _labels(self, origin: Origin, container_id: ContainerId) -> Mapping[str, str]:
        return {
            OWNER: self._owner,
            CAPSULE: origin.capsule_id,
            CONTAINER: container_id,
            EPOCH: str(origin.epoch),
            RESTARTS: str(origin.restarts),
            REBUILDS: str(origin.rebuilds),
            PROJECT: origin.project_id,
        }

    async def _ours(self) -> Mapping[ContainerId, Observation]:
        """One call, whatever number there are; and one that answers though the engine has lost its way with one of them."""
        parameters: Parameters = {"all": True, "filters": json.dumps({"label": [f"{OWNER}={self._owner}"]})}
        try:
            listed = await self._engine.read("containers/json", list[documents.Listed], parameters)
        except aiodocker.DockerError as error:
            raise await self._sorted(error, "list the containers") from error
        seen = (
            Observation(
                container_id=ContainerId(one.labels[CONTAINER]),
                capsule_id=CapsuleId(one.labels[CAPSULE]),
                epoch=int(one.labels[EPOCH]),
                restarts=int(one.labels[RESTARTS]),
                rebuilds=int(one.labels.get(REBUILDS, 0)),
                stage=one.state.stage,
                leaving=one.state.leaving,
            )
            for one in listed
        )
        return {each.container_id: each for each in seen}

    async def _look_at(self, containers: Sequence[ContainerId]) -> Sequence[Observation | None]:
        try:
            async with asyncio.TaskGroup() as group:
                looks = [group.create_task(self._look(each)) for each in containers]
        except ExceptionGroup as failed:
            # One engine fails in one way: the first says it all.
            raise failed.exceptions[0] from failed
        return [look.result() for look in looks]

    async def _look(self, container_id: ContainerId) -> Observation | None:
        async with self._looks:
            found = await self._inspect(container_id)
        return None if found is None else self._observation(found)

    async def _inspect(self, container_id: ContainerId) -> documents.Inspected | None:
        try:
            return await self._engine.read(f"containers/{_name(container_id)}/json", documents.Inspected)
        except aiodocker.DockerError as error:
            if error.status == 404:
                return None
            raise await self._sorted(error, "look at the container") from error

    def _observation(self, found: documents.Inspected) -> Observation | None:
        """None for what only has a name like ours."""
        config, state, labels = found.config, found.state, found.config.labels or {}
        if labels.get(OWNER) != self._owner:
            return None
        ended = state.stage is Stage.EXITED
        finished = state.finished if ended else None
        return Observation(
            container_id=ContainerId(labels[CONTAINER]),
            capsule_id=CapsuleId(labels[CAPSULE]),
            epoch=int(labels[EPOCH]),
            restarts=int(labels[RESTARTS]),
            rebuilds=int(labels.get(REBUILDS, 0)),
            stage=state.stage,
            exit_code=state.exit_code if ended or state.error else None,
            error=oci.brief(state.error) if state.error else None,
            leaving=state.leaving,
            oom_killed=state.oom_killed,
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
            health=state.health.told if state.health and state.stage in (Stage.RUNNING, Stage.PAUSED) else None,
        )

    async def _events(self, *, since: float) -> AsyncIterator[ContainerId]:
        wanted = {"type": ["container"], "event": _CHANGES, "label": [f"{OWNER}={self._owner}"]}
        parameters: Parameters = {"filters": json.dumps(wanted), "since": f"{since:.9f}"}
        try:
            async with self._engine.stream("GET", "events", parameters) as response:
                async for line in lines(response):
                    attributes = msgspec.json.decode(line, type=documents.Event).actor.attributes
                    if CONTAINER in attributes:
                        yield ContainerId(attributes[CONTAINER])
        except aiodocker.DockerError as error:
            raise await self._sorted(error, "tell what changes") from error
        raise errors.Unavailable("The Docker Engine ended its stream of events; it may be restarting.")

    async def _is_there(self, origin: Origin, container: Container) -> bool:
        """Whether the name is taken by what was to be made; False where it will be free in a moment. Raises Conflict for somebody else's."""
        found = await self._inspect(container.id)
        if found is None:
            return False
        labels = found.config.labels or {}
        if labels.get(OWNER) != self._owner or labels.get(CAPSULE) != origin.capsule_id:
            raise errors.Conflict(
                f"Docker has a container named {_name(container.id)} (id {found.id[:12]}) that was not made for this one: remove or rename it."
            )
        if found.state.status == "removing":
            await self._gone(container.id)
            return False
        return True

    async def _end_lost(self, container_id: ContainerId) -> None:
        """Remove it, with the processes that the engine does not know of."""
        found = await self._inspect(container_id)
        if found is not None:
            await asyncio.to_thread(lost.end, found.id)
        await self.remove(container_id)

    async def _gone(self, container_id: ContainerId) -> None:
        """Wait for the end of a removal."""
        try:
            await self._engine.call("POST", f"containers/{_name(container_id)}/wait", {"condition": "removed"})
        except aiodocker.DockerError as error:
            if error.status != 404:
                raise await self._sorted(error, "remove the container") from error

    async def _freeze(self, container_id: ContainerId, verb: str, wanted: Stage) -> None:
        try:
            await self._engine.call("POST", f"containers/{_name(container_id)}/{verb}")
        except aiodocker.DockerError as error:
            # Engines differ in how they refuse what is done already; what is there says it.
            found = await self._inspect(container_id)
            stage = found.state.stage if found else Stage.ABSENT
            if stage is wanted:
                return
            if stage not in (Stage.RUNNING, Stage.PAUSED):
                raise errors.Conflict(f"The container cannot {verb}: it does not run.") from error
            raise await self._sorted(error, f"{verb} the container") from error

    async def _output(self, exec_id: str, *, terminal: bool) -> bytes:
        """All that a command prints, up to the limit. The rest is read and dropped, or the command would wait for ever."""
        kept, dropped = bytearray(), 0
        body = {"Detach": False, "Tty": terminal}
        async with self._engine.stream("POST", f"exec/{exec_id}/start", body=body) as response:
            async for piece in response.content.iter_any() if terminal else demultiplex(response):
                room = self._output_limit - len(kept)
                kept += piece[:room]
                dropped += max(0, len(piece) - room)
        if dropped:
            kept += f"\n[{dropped} more bytes of output are not shown]\n".encode()
        return bytes(kept)

    async def _exit_code(self, exec_id: str) -> int:
        # The output can end a moment before the engine learns of the command's end.
        for pause in (0.01, 0.05, 0.2, 1.0, 5.0):
            ran = await self._engine.read(f"exec/{exec_id}/json", documents.Ran)
            if not ran.running and ran.exit_code is not None:
                return ran.exit_code
            await asyncio.sleep(pause)
        raise errors.Unavailable("The command closed its output, and Docker does not say how it ended.")

    async def _uncreated(self, error: aiodocker.DockerError, container: Container) -> errors.Failure:
        if error.status == 404 and "no such image" in error.message.lower():
            return errors.NotFound(f"Image {container.image} could not be found on this host.", code="image-not-found")
        return await self._sorted(error, "create the container")

    async def _sorted(self, error: aiodocker.DockerError, doing: str) -> errors.Failure:
        return oci.understand(error.message) or await self._engine.explain(error, doing)


NEVER_DETACH = ",".join(["ctrl-@"] * 16)
"""A terminal must pass on every byte; the engine's default takes ctrl-p ctrl-q away."""

_CHANGES = ["create", "start", "die", "destroy", "pause", "unpause", "oom", "update", "health_status"]
"""The engine takes the last for the beginning of a word: `health_status: healthy`."""

_PERIOD = 100_000
"""Microseconds in which a container may use its share of the cores. A quota can be taken away again; what the engine calls NanoCpus cannot."""
_NO_QUOTA = -1
_ALL_MEMORY = 2**63 - 4096
"""More than there is, to the page: the engine knows no way to take a limit of memory away, and this is what the kernel says where there is none."""


def _name(container_id: ContainerId) -> str:
    return f"higgins-{container_id}"


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
        "Interval": (check.interval or 0) * SECOND,
        "Timeout": (check.timeout or 0) * SECOND,
        "Retries": check.retries or 0,
    }


def _no_container(error: aiodocker.DockerError) -> bool:
    return "no such container" in error.message.lower()


def _disk(path: str) -> int:
    """GiB of the file system that holds `path`; 0 if the engine is elsewhere and nobody can tell."""
    try:
        there = os.statvfs(path)
    except OSError:
        return 0
    return there.f_blocks * there.f_frsize // GIB
