"""The host: the agent, its runtime driver and its way to the control plane."""

import asyncio
import logging
import platform
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from pathlib import Path

from higgins import errors
from higgins.agent.agent import Agent, Identity
from higgins.agent.contents import Contents
from higgins.agent.holds import Holds
from higgins.agent.live import LiveAnswers
from higgins.agent.mounts import Mounts
from higgins.agent.shelf import Custom as Collection
from higgins.agent.shelf import Shelf
from higgins.aio.beside import beside
from higgins.drivers.images.docker import DockerImages
from higgins.drivers.networks import local
from higgins.drivers.networks.local.wanted import NAMESERVER
from higgins.drivers.runtimes.docker import DockerRuntime
from higgins.drivers.volumes.local import LocalVolumes, possible
from higgins.link import client, credentials, enrolment
from higgins.link.credentials import Credentials
from higgins.link.messages import HostChannel
from higgins.link.near import Near
from higgins.protocols.network import NetworkPlug
from higgins.settings import Settings
from higgins.wiring import state

log = logging.getLogger(__name__)

_RENEWAL_RETRY = 600.0


async def run(settings: Settings, *, join: str | None = None) -> None:
    """`higgins agent`: this machine as a host of a control plane elsewhere, until cancelled. `join` enrols it first."""
    directory = settings.state_dir / "agent"
    with state.held(directory, "agent"):
        held = await _enrolled(settings, directory, join)
        log.info("host %s (%s) of the control plane at %s", held.name, held.host_id, held.address)
        me = Identity(host_id=held.host_id, name=held.name, availability_zone=settings.agent.availability_zone)
        newest = [held]

        def to() -> Credentials:
            return newest[0]

        async with asyncio.TaskGroup() as group:
            group.create_task(_keep_renewed(newest, directory))
            group.create_task(_work(settings, me, to))


async def run_beside(settings: Settings, socket: Path, near: Near) -> None:
    """The agent of an all-in-one: a host of the control plane in this very process, over its Unix socket."""
    directory = settings.state_dir / "agent"
    with state.held(directory, "agent"):
        name = settings.agent.name or platform.node()
        me = Identity(host_id=state.host_id(directory), name=name, availability_zone=settings.agent.availability_zone)
        await _work(settings, me, lambda: socket, near)


async def _work(
    settings: Settings, me: Identity, to: Callable[[], Credentials | Path], near: Near | None = None
) -> None:
    docker = settings.docker
    owner = docker.owner or me.host_id
    plug = _plug(settings, owner)
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(
            DockerRuntime(
                url=docker.api_url,
                owner=owner,
                pids_limit=docker.pids_limit,
                log_size=docker.log_size,
                log_files=docker.log_files,
                archive_limit=docker.archive_limit * 1024**3,
                starts_at_once=settings.agent.starts_at_once,
                warm_sandboxes=settings.agent.warm_sandboxes if plug is not None else 0,
                nameserver=NAMESERVER if plug is not None else None,
            )
        )
        images = await stack.enter_async_context(DockerImages(url=docker.api_url))
        holds, shelf = Holds(), Shelf(images, settings.state_dir / "agent" / "images.json", _collection(settings))
        answers = LiveAnswers(runtime, images, shelf, holds)

        def connect() -> AbstractAsyncContextManager[HostChannel]:
            return client.connect(to(), answers, near=near)

        async with beside() as start:
            start(runtime.keep_warm())
            await Agent(me, connect, runtime, shelf, holds=holds, plug=plug, mounts=await _mounts(settings)).run()


def has_networks(settings: Settings) -> bool:
    """Whether containers here can be attached to networks, and shall be."""
    return settings.agent.networks != "none" and _lacking(settings) is None


def _plug(settings: Settings, owner: str) -> NetworkPlug | None:
    if has_networks(settings):
        return local.LocalPlug(owner, uplink=settings.agent.uplink)
    if settings.agent.networks != "none":
        log.info("containers are not attached to networks here: %s", _lacking(settings))
    return None


def _lacking(settings: Settings) -> str | None:
    return "Docker is on another machine" if _elsewhere(settings) else local.missing()


def _elsewhere(settings: Settings) -> bool:
    return not settings.docker.api_url.startswith("unix://")


async def _mounts(settings: Settings) -> Mounts:
    """None where the engine is on another machine: it could not see what is mounted here."""
    if _elsewhere(settings):
        return Mounts()
    directory = settings.state_dir / "agent"
    limits = await possible(directory / "volumes")
    if not limits:
        log.info("sizes of volumes are not kept to: this needs root, loop devices and mkfs.ext4")
    return Mounts(LocalVolumes(directory / "volumes", limits=limits), Contents(directory / "files"))


def _collection(settings: Settings) -> Collection:
    images = settings.images
    return Collection(
        collect=images.collect_above < 1,
        above=images.collect_above,
        below=images.collect_below,
        period=images.collect_period,
    )


async def _enrolled(settings: Settings, directory: Path, join: str | None) -> Credentials:
    held = credentials.load(directory)
    if join is not None:
        held = await enrolment.enrol(join, settings.agent.name or platform.node(), directory)
    if held is None:
        raise errors.Invalid(
            "this machine is not a host yet: run `higgins host token` where the control plane is, and start `higgins agent --join TOKEN` here"
        )
    # The control plane may have moved since it wrote the join token.
    return replace(held, address=settings.agent.control) if settings.agent.control else held


async def _keep_renewed(newest: list[Credentials], directory: Path) -> None:
    """A third of a certificate's life is left when it is renewed; a control plane that is away for a while does no harm."""
    while True:
        await asyncio.sleep(max(0.0, newest[0].renew_at() - time.time()))
        try:
            newest[0] = await enrolment.renew(newest[0], directory)
            log.info("the certificate of this host has been renewed")
        except errors.Failure as failure:
            log.warning("the certificate of this host could not be renewed: %s", failure.message)
            await asyncio.sleep(_RENEWAL_RETRY)
