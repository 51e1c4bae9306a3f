"""Containers on a Docker Engine, or on anything that speaks its API from 1.41 on."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import aiodocker
import msgspec

from higgins import errors
from higgins.drivers import documents, lost, oci
from higgins.drivers.engine import Engine, Parameters, lines
from higgins.drivers.runtimes.docker import terms
from higgins.drivers.runtimes.docker.archives import DockerArchives
from higgins.drivers.runtimes.docker.commands import DockerCommands
from higgins.drivers.runtimes.docker.logs import DockerLogs
from higgins.drivers.runtimes.docker.measures import DockerMeasures
from higgins.drivers.runtimes.docker.sandboxes import DockerSandboxes
from higgins.drivers.runtimes.docker.talks import DockerTalks
from higgins.drivers.runtimes.docker.terms import MIB, name
from higgins.logic.reference import Reference
from higgins.model.capsule import Container, Observation, Resources, Stage
from higgins.model.host import Inventory
from higgins.model.ids import ContainerId
from higgins.model.live import ImageFacts
from higgins.protocols.runtime import CAPABILITIES, Bound, Origin

GIB = 1024**3

_CHANGES = ["create", "start", "die", "destroy", "pause", "unpause", "oom", "update", "health_status"]
"""The engine takes the last for the beginning of a word: `health_status: healthy`."""
_WHOLLY: Parameters = {"force": True, "v": True}


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
        archive_limit: int = 10 * GIB,
        warm_sandboxes: int = 0,
        nameserver: str | None = None,
    ) -> None:
        """`owner` marks what is ours, so that several agents can share an engine and see none of each other's containers.

        `pids_limit` 0 is none. `log_size` is in MiB for each of `log_files`; `output_limit` is how many bytes of a command's output are
        kept, `archive_limit` how many an archive may have that goes in or out. More starts at once than about four times the cores gain
        nothing and make each of them slower. `keep_warm` keeps `warm_sandboxes` in store. `nameserver`: whom containers ask that have no network but
        what is plugged in.
        """
        self._engine = Engine(url)
        self._owner = owner
        self._confinement = {
            "PidsLimit": pids_limit,
            # Restarting is the agent's, which knows what is still wanted.
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": f"{log_size}m", "max-file": str(log_files)}},
        }
        self._starts = asyncio.Semaphore(starts_at_once)
        self._sandboxes = DockerSandboxes(self._engine, owner=owner, warm=warm_sandboxes, nameserver=nameserver)
        self.keep_warm, self._name = self._sandboxes.keep, self._sandboxes.name
        self._looks = asyncio.Semaphore(16)
        # What these can do this runtime can do.
        self._commands = commands = DockerCommands(self._engine, output_limit)
        self._talks = DockerTalks(self._engine, commands)
        measures = DockerMeasures(self._engine)
        archives = DockerArchives(self._engine, archive_limit)
        self.execute, self.launch = commands.execute, commands.launch
        self.attach, self.enter, self.resize = self._talks.attach, self._talks.enter, self._talks.resize
        self.logs = DockerLogs(self._engine).logs
        self.usage, self.processes = measures.usage, measures.processes
        self.get_archive, self.put_archive = archives.get_archive, archives.put_archive

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        self._talks.close()
        await self._engine.close()

    # Runtime

    async def list(self, containers: Sequence[ContainerId] | None = None) -> Mapping[ContainerId, Observation]:
        if containers is None:
            await self._commands.hang_up_left()
            return await self._ours()
        seen = [await self._look(containers[0])] if len(containers) == 1 else await self._look_at(containers)
        return {one.container_id: one for one in seen if one is not None}

    def watch(self) -> AsyncIterator[ContainerId]:
        # From this moment on, not from when the engine was reached: what happens in between is told too.
        return self._events(since=time.time())

    async def create(self, origin: Origin, container: Container, bound: Sequence[Bound] = ()) -> None:
        room = await self._name(origin.sandbox) if origin.sandbox is not None else ""
        body = terms.container(origin, container, bound, owner=self._owner, confinement=self._confinement, sandbox=room)
        try:
            await self._make(origin, container.id, body)
        except aiodocker.DockerError as error:
            raise await self._uncreated(error, container) from error

    async def start(self, container_id: ContainerId) -> None:
        async with self._starts:
            try:
                await self._engine.call("POST", f"containers/{await self._name(container_id)}/start")
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
                if error.status == 404 and terms.no_container(error):
                    raise errors.Conflict("The container cannot start: it is gone from Docker.") from error
                if "non running container" in error.message:
                    raise errors.Unavailable("The sandbox of the container does not run.", retry_after=1) from error
                if error.status == 409:
                    raise errors.Conflict(f"The container cannot start now: {oci.brief(error.message)}") from error
                raise await self._sorted(error, "start the container") from error

    async def stop(self, container_id: ContainerId, timeout: int) -> None:
        try:
            await self._engine.call(
                "POST",
                f"containers/{await self._name(container_id)}/stop",
                {"t": timeout},
                patience=timeout + self._engine.patience,
            )
        except aiodocker.DockerError as error:
            if error.status != 404:
                raise await self._sorted(error, "stop the container") from error

    async def remove(self, container_id: ContainerId) -> None:
        try:
            await self._engine.call("DELETE", f"containers/{await self._name(container_id)}", _WHOLLY)
        except aiodocker.DockerError as error:
            if error.status == 409 and "already in progress" in error.message:
                await self._gone(container_id)
            elif error.status != 404:
                raise await self._sorted(error, "remove the container") from error
        self._sandboxes.forget(container_id)

    async def inventory(self) -> Inventory:
        try:
            told = await self._engine.read("info", documents.Told)
        except aiodocker.DockerError as error:
            raise await self._sorted(error, "describe itself") from error
        able = tuple(name for name, protocol in CAPABILITIES.items() if isinstance(self, protocol))
        return terms.inventory(told, capabilities=able, disk=await asyncio.to_thread(_disk, told.data_root))

    # Sandboxes

    async def create_sandbox(
        self, origin: Origin, sandbox: ContainerId, *, hostname: str | None = None, bare: bool = False
    ) -> None:
        # Under whatever name: one from the store has another than one that is made.
        if bare and await self._is_there(origin, sandbox):
            return
        if bare and hostname is origin.handler is None and await self._sandboxes.take(origin, sandbox):
            return
        labels = terms.labels(origin, sandbox, self._owner)
        try:
            body = self._sandboxes.body(labels, handler=origin.handler, hostname=hostname, bare=bare)
            await self._make(origin, sandbox, body, sandbox=True)
        except aiodocker.DockerError as error:
            raise await self._sorted(error, "create the sandbox") from error

    async def introduce(self, sandbox: ContainerId, address: str) -> None:
        found = await self._inspect(sandbox)
        if found is not None and found.hosts and found.config.hostname:
            await self._sandboxes.introduce(found.id, Path(found.hosts), found.config.hostname, address)

    # Pauses

    async def pause(self, container_id: ContainerId) -> None:
        await self._freeze(container_id, "pause", Stage.PAUSED)

    async def unpause(self, container_id: ContainerId) -> None:
        await self._freeze(container_id, "unpause", Stage.RUNNING)

    # Signals

    async def kill(self, container_id: ContainerId, signal: str) -> None:
        try:
            await self._engine.call("POST", f"containers/{name(container_id)}/kill", {"signal": signal})
        except aiodocker.DockerError as error:
            match error.status:
                case 404 | 409:
                    raise errors.Conflict("The container cannot be signalled: it does not run.") from error
                case 400:
                    raise errors.Invalid(f"{signal} is no signal that this host knows.") from error
                case _:
                    raise await self._sorted(error, "signal the container") from error

    # Updates

    async def update(self, container_id: ContainerId, limits: Resources) -> None:
        if limits.memory and await self._in_use(container_id) > limits.memory * MIB:
            # Newer kernels would not refuse, but kill what is too large.
            raise errors.Invalid("The container uses more memory than that now. Allow it more, or stop it first.")
        try:
            await self._engine.call("POST", f"containers/{name(container_id)}/update", body=terms.limits(limits))
        except aiodocker.DockerError as error:
            if error.status == 404:
                raise errors.Conflict("The limits cannot be changed: the container is gone from Docker.") from error
            raise await self._sorted(error, "change the limits") from error

    # Commits

    async def commit(self, container_id: ContainerId, repository: str, tag: str) -> ImageFacts:
        reference = Reference.parse(f"{repository}:{tag}")
        parameters: Parameters = {"container": name(container_id), "repo": reference.name, "tag": reference.version}
        # An image keeps the labels of its container. What is made of it elsewhere must not pass for ours.
        body = {"Labels": dict.fromkeys(terms.LABELS, "")}
        try:
            # As long as it takes: what is given up here would be finished there all the same.
            async with self._engine.stream("POST", "commit", parameters, body=body) as response:
                made = msgspec.json.decode(await response.read(), type=documents.Made)
            image = await self._engine.read(f"images/{made.id}/json", documents.Image)
        except aiodocker.DockerError as error:
            if terms.no_container(error):
                raise errors.Conflict("No image can be made of the container: it is gone from Docker.") from error
            raise await self._sorted(error, "make an image of the container") from error
        return ImageFacts(digest=image.id, size=image.size)

    # What they are made of

    async def _ours(self) -> Mapping[ContainerId, Observation]:
        """One call, whatever number there are; and one that answers though the engine has lost its way with one of them."""
        parameters: Parameters = {"all": True, "filters": json.dumps({"label": [f"{terms.OWNER}={self._owner}"]})}
        try:
            listed = await self._engine.read("containers/json", list[documents.Listed], parameters)
        except aiodocker.DockerError as error:
            raise await self._sorted(error, "list the containers") from error
        marked = ((one, terms.marks(one.labels, one.name)) for one in listed)
        return {marks.container_id: terms.listed(one, marks) for one, marks in marked if marks is not None}

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
            observation = None if found is None else self._observation(found)
            if observation is not None and found is not None and found.commands:
                await self._commands.hang_up_forsaken(found.commands)
        return observation

    async def _inspect(self, container_id: ContainerId) -> documents.Inspected | None:
        try:
            return await self._engine.read(f"containers/{await self._name(container_id)}/json", documents.Inspected)
        except aiodocker.DockerError as error:
            if error.status == 404:
                self._sandboxes.doubt(container_id)
                return None
            raise await self._sorted(error, "look at the container") from error

    def _observation(self, found: documents.Inspected) -> Observation | None:
        """None for what only has a name like ours."""
        marks = self._marks(found)
        return None if marks is None else terms.observation(found, marks)

    def _marks(self, found: documents.Inspected) -> terms.Marks | None:
        labels = found.config.labels or {}
        return terms.marks(labels, found.name) if labels.get(terms.OWNER) == self._owner else None

    async def _events(self, *, since: float) -> AsyncIterator[ContainerId]:
        wanted = {"type": ["container"], "event": _CHANGES, "label": [f"{terms.OWNER}={self._owner}"]}
        parameters: Parameters = {"filters": json.dumps(wanted), "since": f"{since:.9f}"}
        try:
            async with self._engine.stream("GET", "events", parameters) as response:
                async for line in lines(response):
                    attributes = msgspec.json.decode(line, type=documents.Event).actor.attributes
                    told = terms.container_id(attributes, attributes.get("name", ""))
                    if told is not None:
                        yield told
        except aiodocker.DockerError as error:
            raise await self._sorted(error, "tell what changes") from error
        raise errors.Unavailable("The Docker Engine ended its stream of events; it may be restarting.")

    async def _in_use(self, container_id: ContainerId) -> int:
        try:
            return (await self.usage(container_id)).memory
        except errors.Conflict:
            return 0

    async def _make(self, origin: Origin, container_id: ContainerId, body: object, *, sandbox: bool = False) -> None:
        """Succeeds if it is there. Raises the engine's own refusal of what it is asked to make."""
        make = self._sandboxes.make if sandbox else self._create
        for rest in (0.2, 0.5, 1.0, None):
            try:
                await make(name(container_id), body)
                return
            except aiodocker.DockerError as error:
                if error.status != 409:
                    raise
                if await self._is_there(origin, container_id):
                    return
                if rest is None:
                    raise errors.Unavailable(
                        f"Docker keeps the name {name(container_id)} for a container that it is making or removing.",
                        retry_after=5,
                    ) from error
            await asyncio.sleep(rest)

    async def _create(self, named: str, body: object) -> None:
        await self._engine.call("POST", "containers/create", {"name": named}, body=body)

    async def _is_there(self, origin: Origin, container_id: ContainerId) -> bool:
        """Whether the name is taken by what was to be made; False where it will be free in a moment. Raises Conflict for somebody else's."""
        found = await self._inspect(container_id)
        if found is None:
            return False
        marks = self._marks(found)
        if marks is None or marks.capsule_id != origin.capsule_id:
            raise errors.Conflict(
                f"Docker has a container named {name(container_id)} (id {found.id[:12]}) that was not made for this one: remove or rename it."
            )
        if found.state.status == "removing":
            await self._gone(container_id)
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
            path = f"containers/{await self._name(container_id)}/wait"
            await self._engine.call("POST", path, {"condition": "removed"})
        except aiodocker.DockerError as error:
            if error.status != 404:
                raise await self._sorted(error, "remove the container") from error

    async def _freeze(self, container_id: ContainerId, verb: str, wanted: Stage) -> None:
        try:
            await self._engine.call("POST", f"containers/{await self._name(container_id)}/{verb}")
        except aiodocker.DockerError as error:
            # Engines differ in how they refuse what is done already; what is there says it.
            found = await self._inspect(container_id)
            stage = found.state.stage if found else Stage.ABSENT
            if stage is wanted:
                return
            if stage not in (Stage.RUNNING, Stage.PAUSED):
                raise errors.Conflict(f"The container cannot {verb}: it does not run.") from error
            raise await self._sorted(error, f"{verb} the container") from error

    async def _uncreated(self, error: aiodocker.DockerError, container: Container) -> errors.Failure:
        if terms.no_container(error):
            return errors.Unavailable("The sandbox of the container is gone; it has to be made again.", retry_after=1)
        if terms.no_image(error):
            return errors.NotFound(f"Image {container.image} could not be found on this host.", code="image-not-found")
        return await self._sorted(error, "create the container")

    async def _sorted(self, error: aiodocker.DockerError, doing: str) -> errors.Failure:
        return await terms.sorted_by_remedy(self._engine, error, doing)


def _disk(path: str) -> int:
    """GiB of the file system that holds `path`; 0 if the engine is elsewhere and nobody can tell."""
    try:
        there = os.statvfs(path)
    except OSError:
        return 0
    return there.f_blocks * there.f_frsize // GIB
