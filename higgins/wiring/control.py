"""The control plane: the store, the verbs, the front doors, the link and the loops."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from ipaddress import IPv4Network
from pathlib import Path

from higgins import errors
from higgins.api.identity import door as identity_door
from higgins.api.link.sessions import Session, greeting
from higgins.api.server import serving
from higgins.api.zun import door
from higgins.api.zun.values import Bounds
from higgins.api.zun.verbs import Services
from higgins.control import placer, plane
from higgins.control.fetcher import Fetcher
from higgins.control.pruner import Keeping
from higgins.link.certificates import Authority
from higgins.link.directory import Directory
from higgins.link.messages import ControlChannel
from higgins.link.near import Near
from higgins.link.server import Allowed, Doors, LinkServer, ServeSession
from higgins.logic import openings, subnets
from higgins.logic.placement import Ratios
from higgins.model.capsule import PullPolicy, Resources
from higgins.model.ids import HostId
from higgins.model.quota import Allowance, Limits
from higgins.service.capsules import Capsules
from higgins.service.consoles import Consoles
from higgins.service.containers import Containers
from higgins.service.creation import Customs
from higgins.service.events import Events
from higgins.service.fleet import Fleet
from higgins.service.hints import Hints
from higgins.service.hosts import Hosts
from higgins.service.identity import LocalIdentity
from higgins.service.images import Images
from higgins.service.limits import Deadlines
from higgins.service.live import LiveVerbs
from higgins.service.networks import Networks
from higgins.service.policy import Policy
from higgins.service.quotas import Quotas
from higgins.service.registries import Registries, Sources
from higgins.service.repeats import Repeats
from higgins.service.secrets import Secrets
from higgins.service.security_groups import SecurityGroups
from higgins.service.turnstile import Turnstile
from higgins.service.volumes import Volumes
from higgins.settings import Settings
from higgins.store import schema, version
from higgins.store.database import Database
from higgins.wiring import state

log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """`higgins serve`: the control plane alone, until cancelled."""
    async with plane_of(settings, embedded=False):
        await asyncio.Event().wait()


@asynccontextmanager
async def plane_of(settings: Settings, *, embedded: bool) -> AsyncIterator[Near]:
    """The control plane, running while the block does, and the way to it for an agent in this process. `embedded` brings its database up to date without
    being asked."""
    with state.held(settings.state_dir, "control"):
        database = Database(settings.database_url)
        database.open()
        try:
            if embedded or version.of(database) is None:
                schema.upgrade(database)
            version.require_latest(database)
            async with _serving(settings, database) as near:
                yield near
        finally:
            database.close()


@asynccontextmanager
async def _serving(settings: Settings, database: Database) -> AsyncIterator[Near]:
    hints = Hints()
    limits = Deadlines(**asdict(settings.deadlines), execute=settings.containers.execute_timeout)
    policy = Policy(settings.oslo_policy.policy_file)
    sources = Sources(allowed=_listed(settings.images.registries))
    registries = Registries(database, policy, _secrets(settings), hints, sources)
    hosts = Hosts(database, hints, limits, registries)
    turnstile = Turnstile(settings.link.calls_per_project)
    live = Directory(most=settings.link.calls_per_host)
    images = Images(database, policy, live, hints, registries, sources, deadline=limits.fetch)
    identity = LocalIdentity(database, token_lifetime=settings.identity.token_lifetime)
    pool = _pool(settings)
    customs = _customs(settings, limits, sources, pool)
    allowance = customs.allowance
    containers = Containers(database, policy, hints, customs)
    link = LinkServer(
        directory=live,
        authority=Authority.open(settings.state_dir),
        tokens=hosts,
        serve_session=_sessions(hosts, hints, settings),
        allowed=_allowed(hosts),
    )
    app = door.application(
        Services(
            containers=containers,
            capsules=Capsules(database, policy, hints, customs),
            fleet=Fleet(database, policy, hosts),
            events=Events(database, policy, hints, turnstile=turnstile),
            repeats=Repeats(database, keep=settings.api.keep_answers * 3_600),
            live=LiveVerbs(
                database,
                policy,
                live,
                Consoles(database, lifetime=settings.console.token_lifetime),
                images.record,
                limits,
                turnstile=turnstile,
            ),
            registries=registries,
            volumes=Volumes(database, policy, allowance),
            images=images,
            networks=Networks(database, policy, pool, allowance),
            security_groups=SecurityGroups(database, policy, allowance),
            quotas=Quotas(database, policy, _limits(settings)),
        ),
        identity,
        policy,
        bounds=_bounds(settings),
        defaults=Resources(
            cpu=settings.containers.default_cpu,
            memory=settings.containers.default_memory,
            disk=settings.containers.default_disk,
        ),
        max_limit=settings.api.max_limit,
        max_archive=settings.api.max_archive << 20,
        console_url=settings.console.public_url,
        origins=_listed(settings.console.allowed_origins),
        public_url=settings.api.public_url,
        others={
            "/identity": identity_door.application(
                identity, region=settings.identity.region, public_url=settings.api.public_url
            )
        },
    )
    # What is allotted is in the same database: nobody is waited for who is far away.
    rhythm = plane.Rhythm(lease=settings.hosts.lease, allotting=10.0)
    async with (
        link.listen(_doors(settings)) as entrances,
        serving(app, host=settings.api.host_ip, port=settings.api.port) as listening,
        asyncio.TaskGroup() as group,
    ):
        fetcher = Fetcher(database, hints, live, registries, time.time)
        loops = group.create_task(
            plane.run(
                database,
                hints,
                placer.Custom(ratios=customs.ratios),
                rhythm,
                keeping=_keeping(settings),
                fetcher=fetcher,
            )
        )
        group.create_task(_renew(registries))
        try:
            log.info("the Containers API answers at %s/v1, the login at %s/identity/v3", listening.url, listening.url)
            yield entrances.near
        finally:
            loops.cancel()


def link_socket(settings: Settings) -> Path:
    """Where the link is reached from this machine."""
    return settings.state_dir / "link.sock"


def _doors(settings: Settings) -> Doors:
    link = settings.link
    names = [link.host_ip, *([link.advertise.rpartition(":")[0]] if link.advertise else [])]
    return Doors(
        link=f"{_bracketed(link.host_ip)}:{link.port}",
        enrol=f"{_bracketed(link.host_ip)}:{link.enrol_port}",
        names=tuple(names),
        socket=link_socket(settings),
    )


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _sessions(hosts: Hosts, hints: Hints, settings: Settings) -> ServeSession:
    async def serve(proved: HostId | None, channel: ControlChannel) -> None:
        hello = await greeting(channel)
        await Session(hosts, hints, channel, heartbeat=settings.hosts.heartbeat).serve(hello, local=proved is None)

    return serve


def _allowed(hosts: Hosts) -> Allowed:
    async def allowed(host_id: HostId, _serial: str) -> bool:
        return await hosts.known(host_id)

    return allowed


def _keeping(settings: Settings) -> Keeping:
    return Keeping(
        events=settings.events.keep_days * 86_400,
        most_events=settings.events.keep_rows,
        repeats=settings.api.keep_answers * 3_600,
        most_repeats=settings.api.keep_most_answers,
    )


def _secrets(settings: Settings) -> Secrets:
    given = settings.secrets.key_file
    return Secrets(given or settings.state_dir / "secrets.key", make=given is None)


async def _renew(registries: Registries) -> None:
    try:
        await registries.renew()
    except errors.Failure as failure:
        log.warning("the passwords of registries are not encrypted anew: %s", failure.message)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pool(settings: Settings) -> IPv4Network | None:
    return subnets.pool(settings.networks.pool) if settings.networks.provider != "none" else None


def _customs(settings: Settings, limits: Deadlines, sources: Sources, pool: IPv4Network | None) -> Customs:
    return Customs(
        deadlines=limits,
        pull=PullPolicy(settings.containers.image_pull_policy),
        unique_names=settings.containers.unique_container_name_scope,
        sources=sources,
        limits=_limits(settings),
        allowance=_allowance(settings),
        networks=pool,
        ratios=Ratios(ports=openings.parsed(settings.networks.published)),
        host_ports=openings.parsed(settings.networks.host_ports),
        least=Resources(
            cpu=settings.containers.minimum_cpu,
            memory=settings.containers.minimum_memory,
            disk=settings.containers.minimum_disk,
        ),
    )


def _limits(settings: Settings) -> Limits:
    quota = settings.quota
    return Limits(containers=quota.containers, memory=quota.memory, disk=quota.disk, cpu=quota.cpu)


def _allowance(settings: Settings) -> Allowance:
    quota = settings.quota
    return Allowance(
        networks=quota.networks,
        security_groups=quota.security_groups,
        volumes=quota.volumes,
        published_ports=quota.published_ports,
    )


def _bounds(settings: Settings) -> Bounds:
    containers = settings.containers
    return Bounds(
        minimum_cpus=containers.minimum_cpu,
        maximum_cpus=containers.maximum_cpu,
        minimum_memory=containers.minimum_memory,
        maximum_memory=containers.maximum_memory,
        minimum_disk=containers.minimum_disk,
        maximum_disk=containers.maximum_disk,
    )
