"""Sandboxes on a Docker Engine, some of them made before anybody asks.

To make and start one takes the engine most of the time that a container needs to run. So a few that belong to nobody are kept running, and one is taken
by giving it a name: that is atomic and lasts, and the name tells whose it is, which labels cannot, since they never change.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import aiodocker

from higgins import errors
from higgins.aio.bell import Bell
from higgins.drivers import documents
from higgins.drivers.engine import Engine, Parameters
from higgins.drivers.runtimes.docker import pause, terms
from higgins.model.capsule import Stage
from higgins.model.ids import ContainerId
from higgins.protocols.runtime import Origin

log = logging.getLogger(__name__)

_QUIET = 0.5
"""Seconds without anybody asking for a sandbox, after which the store is filled: those who wait come first."""
_LOOK = 60.0
_RETRY = 5.0
_LONGEST = 2**18
"""Characters of a file that containers can write to: a longer one is theirs alone."""


class DockerSandboxes:
    """Knows what the engine calls those of one owner, and keeps the store."""

    def __init__(self, engine: Engine, *, owner: str, warm: int, nameserver: str | None) -> None:
        """`warm` is how many are kept in store. `nameserver`: whom those ask that have no network but what is plugged into them."""
        self._engine = engine
        self._owner = owner
        self._warm = warm
        self._nameserver = nameserver
        self._recipe = f"{pause.IMAGE} {nameserver or ''}"
        self._store: list[str] = []
        """The names of those that are there to be taken."""
        self._taken: dict[ContainerId, str] | None = None
        """The names of those that were taken from the store; None: somebody has to look."""
        self._changes = 0
        """How often that has changed: a look that began before the last one has seen what was."""
        self._wanted = False
        """There is use for a store here."""
        self._asked = 0.0
        self._leaving: set[str] = set()
        """Those that are being taken just now."""
        self._bell = Bell()

    async def name(self, container_id: ContainerId) -> str:
        """What the engine calls a sandbox, or any other container of ours."""
        taken = self._taken if self._taken is not None else await self._look()
        return taken.get(container_id) or terms.name(container_id)

    def forget(self, container_id: ContainerId) -> None:
        """It has been removed."""
        self._changes += 1
        if self._taken is not None:
            self._taken.pop(container_id, None)

    def doubt(self, container_id: ContainerId) -> None:
        """It is not there by its name. If that is from the store, somebody has to look whether there is another by now."""
        if self._taken is not None and container_id in self._taken:
            self._taken = None
            self._changes += 1

    async def take(self, origin: Origin, sandbox: ContainerId) -> bool:
        """Make this sandbox out of one in store; False where there is none. It must not be there under any name."""
        self._asked, self._wanted = time.monotonic(), True
        self._bell.ring()
        named = terms.taken_name(origin, sandbox)
        while self._store:
            warm = self._store.pop()
            self._leaving.add(warm)
            try:
                await self._engine.call("POST", f"containers/{warm}/rename", {"name": named})
            except aiodocker.DockerError as error:
                if error.status == 404:
                    continue  # It is gone, or somebody else's.
                raise await terms.sorted_by_remedy(self._engine, error, "take a sandbox from the store") from error
            finally:
                # Whatever has become of the call: who looks next sees it.
                self._leaving.discard(warm)
                self._taken = None
                self._changes += 1
                self._bell.ring()
            return True
        return False

    def body(
        self, labels: Mapping[str, str], *, handler: str | None = None, hostname: str | None = None, bare: bool
    ) -> object:
        """What the engine is asked to make."""
        return terms.sandbox(
            labels,
            image=pause.IMAGE,
            handler=handler,
            hostname=hostname,
            network=terms.nothing(self._nameserver) if bare else {},
        )

    async def make(self, name: str, body: object) -> None:
        """As the engine is asked. Raises its own refusal."""
        parameters: Parameters = {"name": name}
        try:
            await self._engine.call("POST", "containers/create", parameters, body=body)
        except aiodocker.DockerError as error:
            if not terms.no_image(error):
                raise
            await self._import_pause()
            await self._engine.call("POST", "containers/create", parameters, body=body)

    async def keep(self) -> None:
        """Keep the store, from when somebody asks for the first, until cancelled. What is in it then is left to whoever comes next."""
        while self._warm:
            try:
                await self._take_stock()
                if self._wanted:
                    await self._fill()
            except errors.Failure as failure:
                log.info("no sandboxes can be made in advance just now: %s", failure.message)
                await asyncio.sleep(_RETRY)
            else:
                await self._bell.wait(_LOOK if self._wanted else None)

    async def introduce(self, engine_id: str, hosts: Path, hostname: str, address: str) -> None:
        """Let the host name lead to this address, in the file that the containers inside have for their /etc/hosts."""
        # An engine on another machine has its files there. The path has the id in it, so that no other file is taken for it.
        if engine_id in hosts.parts:
            await asyncio.to_thread(_introduce, hosts, hostname, address)

    async def _look(self) -> Mapping[ContainerId, str]:
        before = self._changes
        found = {}
        for one in await self._listed():
            marks = terms.marks(one.labels, one.name)
            if marks is not None:
                found[marks.container_id] = one.name
        if before == self._changes:
            self._taken = found
        return found

    async def _listed(self) -> list[documents.Listed]:
        """Those that were made for the store, whoever has them now."""
        labels = [f"{terms.OWNER}={self._owner}", terms.WARM]
        parameters: Parameters = {"all": True, "filters": json.dumps({"label": labels})}
        try:
            return await self._engine.read("containers/json", list[documents.Listed], parameters)
        except aiodocker.DockerError as error:
            raise await terms.sorted_by_remedy(self._engine, error, "list the sandboxes") from error

    async def _take_stock(self) -> None:
        """What is there for the taking, also that of whoever was here before; what is of no use goes."""
        before, useful = self._changes, await self._useful()
        while before != self._changes:
            # Some have been taken while the engine was asked: they would be missed when the next are made.
            await asyncio.sleep(_QUIET)
            before, useful = self._changes, await self._useful()
        # What is being taken may still be listed by its old name: nobody else must get it.
        self._store = [each for each in useful if each not in self._leaving]
        self._wanted = self._wanted or bool(useful)

    async def _useful(self) -> list[str]:
        useful: list[str] = []
        for one in await self._listed():
            if terms.marks(one.labels, one.name) is not None:
                continue
            if one.state.stage is Stage.RUNNING and one.labels[terms.WARM] == self._recipe and len(useful) < self._warm:
                useful.append(one.name)
            else:
                await self._discard(one.name)
        return useful

    async def _fill(self) -> None:
        labels = {terms.OWNER: self._owner, terms.WARM: self._recipe}
        while len(self._store) < self._warm:
            rest = self._asked + _QUIET - time.monotonic()
            if rest > 0:
                await asyncio.sleep(rest)
                continue
            name = terms.warm_name(uuid.uuid4().hex)
            try:
                await self.make(name, self.body(labels, bare=True))
                await self._engine.call("POST", f"containers/{name}/start")
            except aiodocker.DockerError as error:
                raise await terms.sorted_by_remedy(self._engine, error, "make a sandbox") from error
            self._store.append(name)

    async def _discard(self, name: str) -> None:
        try:
            await self._engine.call("DELETE", f"containers/{name}", {"force": True, "v": True})
        except aiodocker.DockerError as error:
            if error.status not in (404, 409):
                raise await terms.sorted_by_remedy(self._engine, error, "remove a sandbox") from error

    async def _import_pause(self) -> None:
        """The image of sandboxes, which no registry has to be asked for."""
        told = await self._engine.read("info", documents.Told)
        repository, _, tag = pause.IMAGE.partition(":")
        parameters: Parameters = {"fromSrc": "-", "repo": repository, "tag": tag, "changes": pause.ENTRYPOINT}
        await self._engine.call("POST", "images/create", parameters, body=pause.archive(told.architecture))


def _introduce(hosts: Path, hostname: str, address: str) -> None:
    try:
        with hosts.open(encoding="utf-8", errors="surrogateescape") as file:
            before = file.read(_LONGEST + 1)
        if len(before) > _LONGEST:
            return
        others = [line for line in before.splitlines() if hostname not in line.split()[1:]]
        short = hostname.partition(".")[0]
        names = hostname if short == hostname else f"{hostname} {short}"
        after = "\n".join([*others, f"{address}\t{names}", ""])
        if after != before:
            # In its place: containers have this very file, not its name.
            with hosts.open("r+", encoding="utf-8", errors="surrogateescape") as file:
                file.write(after)
                file.truncate()
    except FileNotFoundError:
        return
    except OSError as error:
        raise errors.Unavailable(f"{hosts} cannot be written: {error.strerror}.") from error
