"""Networks and volumes whose service, engine or parts die: whoever is wanted is reached as was asked, and in the end nothing is left of them."""

import asyncio
import base64
import random
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import aiodocker
import pytest

from higgins.drivers.engine import Engine
from higgins.drivers.networks.local import missing as lacking
from higgins.drivers.runtimes.docker import terms
from higgins.model.ids import ContainerId
from tests.system.engine import BUSYBOX, import_busybox, missing
from tests.system.faults.claims import assert_no_claim_leaks
from tests.system.faults.engine_of_its_own import OwnEngine, Within
from tests.system.faults.found import on_engine
from tests.system.faults.leaks import Machine, assert_nothing_leaks
from tests.system.faults.stream import OTHER, PATIENCE, Api, Client, Stream, Wanted
from tests.system.servers import AllInOne

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

NETWORKS = ("default", "back")
GROUP = {"name": "web", "rules": [{"protocol": "tcp", "port_min": 80, "port_max": 80}]}
VOLUMES = ({"name": "plain"}, {"name": "sized", "size": 1})
MOUNTS: Sequence[Mapping[str, str]] = (
    {"source": "plain", "destination": "/plain"},
    {"source": "sized", "destination": "/sized"},
    {"source": "", "size": "1", "destination": "/own"},
)


@pytest.fixture(autouse=True)
def possible() -> None:
    if (lack := lacking()) is not None:
        missing(f"Networks cannot be made here: {lack}.")


class Resident(Client):
    """One whose containers are on networks, publish ports, follow a security group and mount volumes, and tell their name to whoever asks."""

    def __init__(self, api: Api, number: int, seed: int) -> None:
        super().__init__(api, number, seed)
        self.on: set[str] = set()
        """The networks that its container is on."""
        self.publishes = False

    def _more(self, name: str) -> dict[str, object]:
        chosen = self._random.choice([(), ("back",), NETWORKS])
        self.on = set(chosen) or {"default"}
        self.publishes = self._random.random() < 0.6
        told = {"type": "bind", "source": base64.b64encode(name.encode()).decode(), "destination": "/www/told"}
        serve = f"echo {name} >/www/name; for each in plain sized own; do [ ! -d /$each ] || echo {name} >/$each/{name}; done; busybox httpd -p 80 -h /www"
        return {
            "nets": [{"network": each} for each in chosen],
            "published_ports": [{"port": 80}] if self.publishes else [],
            "security_groups": self._random.choice([[], ["web"]]),
            "mounts": [told, *self._random.sample(MOUNTS, self._random.randrange(3))],
            "command": ["sh", "-c", f"{serve}; trap exit TERM; sleep 100000 & wait"],
        }

    def _verbs(self, wanted: Wanted) -> Sequence[str]:
        changes = ["network_attach" if len(self.on) < len(NETWORKS) else "network_detach"] * 3
        return [*super()._verbs(wanted), *(changes if wanted.state != "paused" else ())]

    def _how(self, verb: str) -> dict[str, str]:
        if verb == "network_attach":
            return {"network": self._random.choice(sorted(set(NETWORKS) - self.on))}
        if verb == "network_detach":
            return {"network": self._random.choice(sorted(self.on))}
        return super()._how(verb)

    def _note(self, wanted: Wanted, verb: str, how: Mapping[str, str], since: float) -> None:
        if verb == "network_attach":
            self.on.add(how["network"])
        elif verb == "network_detach":
            self.on.remove(how["network"])
        else:
            super()._note(wanted, verb, how, since)


class Town:
    """Residents on the networks of one service, and what they shall see of each other."""

    def __init__(self, server: AllInOne, token: str, seed: int, *, residents: int) -> None:
        self.server = server
        self.apis = {
            noun: Api(server.url, token, version="1.41", nouns=noun)
            for noun in ("containers", "networks", "volumes", "security_groups")
        }
        self.stream = Stream(
            self.apis["containers"], server.docker_url, server.owner, clients=residents, seed=seed, kind=Resident
        )
        self.ids: dict[str, str] = {}

    async def found(self) -> None:
        """Networks, volumes and a group, before anybody comes."""
        for noun, asked in (
            *(("networks", {"name": name}) for name in NETWORKS),
            *(("volumes", one) for one in VOLUMES),
            ("security_groups", GROUP),
        ):
            answer = await self.apis[noun].call("POST", "", asked)
            assert answer.status in (200, 201, 202), answer
            self.ids[str(asked["name"])] = answer.body["uuid"]

    async def reckon(self) -> None:
        """All is as it was asked for, everybody reaches whom they may reach, and nothing is there besides."""
        await self.stream.reckon()
        deadline = time.monotonic() + PATIENCE
        while wrong := await self._wrong():
            assert time.monotonic() < deadline, "\n".join(wrong)
            await asyncio.sleep(0.5)
        assert_no_claim_leaks(self.server.database)
        await assert_nothing_leaks(self.server)

    async def _wrong(self) -> list[str]:
        shown = {}
        residents = [each for each in self.stream.clients if isinstance(each, Resident) and each.wanted is not None]
        for each in residents:
            assert each.wanted is not None
            shown[each.wanted.name] = (await self.apis["containers"].surely("GET", f"/{each.wanted.id}")).body
        up = [each for each in residents if each.wanted is not None and each.wanted.state == "running"]
        wrong = []
        for each in residents:
            assert each.wanted is not None
            there = set(shown[each.wanted.name]["addresses"])
            if there != (asked := {self.ids[name] for name in each.on}):
                wrong.append(f"{each.wanted.name} asked to be on {asked}, is on {there}")
        if not wrong:
            for each, other in zip(up, [*up[1:], *up[:1]], strict=True):
                wrong += await self._wrong_between(each, other, shown)
        return wrong

    async def _wrong_between(self, one: Resident, other: Resident, shown: Mapping[str, Any]) -> list[str]:
        """What is not as it should be when one asks another for its name, and is asked from the host."""
        assert one.wanted is not None and other.wanted is not None
        me, them = one.wanted.name, other.wanted.name
        asked = [them] if one.on <= other.on else []
        for network in sorted(one.on & other.on):
            asked += [each["addr"] for each in shown[them]["addresses"][self.ids[network]]]
        wanted = [me, *[them] * len(asked)]
        script = f"cat /www/told; echo; for each in {' '.join(asked)}; do {_ASKING} $each 80 | tail -n 1; done"
        answer = await self.apis["containers"].surely(
            "POST", f"/{one.wanted.id}/execute", command=f"sh -c '{script}'", interactive="false"
        )
        said = str((answer.body or {}).get("output", answer.body)).split()
        wrong = [] if said == wanted else [f"{me} asked for its file, then for {asked}, and heard {said}"]
        for port in shown[me]["published_ports"]:
            told = await asyncio.to_thread(_fetched, self.server, port["host_port"])
            wrong += [] if told == me else [f"{me} is published as {port['host_port']}, and there is {told!r}"]
        if one.publishes != bool(shown[me]["published_ports"]):
            wrong.append(f"{me} publishes {shown[me]['published_ports']}")
        return wrong

    async def leave(self) -> None:
        """Everything is deleted, and nothing at all is left."""
        containers = self.apis["containers"]
        for client in self.stream.clients:
            if client.wanted is not None:
                await containers.surely("DELETE", f"/{client.wanted.id}", stop="true")
                client.deleted.append(client.wanted.id)
                client.wanted = None
        await self.stream.reckon()
        # While they still lie there: nobody uses them, and so they are not mounted.
        await assert_nothing_leaks(self.server)
        for noun, names in (
            ("volumes", [str(one["name"]) for one in VOLUMES]),
            ("networks", NETWORKS),
            ("security_groups", ["web"]),
        ):
            for name in names:
                answer = await self.apis[noun].surely("DELETE", f"/{name}")
                assert answer.status == 204, answer
            assert (await self.apis[noun].surely("GET")).body[noun] == []
        assert_no_claim_leaks(self.server.database)
        await assert_nothing_leaks(self.server)


_ASKING = 'printf "GET /name HTTP/1.0\\r\\n\\r\\n" | nc -w 3'


def _fetched(server: AllInOne, port: int) -> str:
    asked = f"{_ASKING.replace('nc', 'busybox nc')} 127.0.0.1 {port} | tail -n 1"
    return subprocess.run(
        [*server.enter, "sh", "-c", asked], capture_output=True, text=True, check=False
    ).stdout.strip()


@asynccontextmanager
async def town(server: AllInOne, seed: int, *, residents: int = 6) -> AsyncIterator[Town]:
    """One on a service that is started for it; what is there is reckoned afterwards, then what is left."""
    await asyncio.to_thread(server.start)
    token = (await asyncio.to_thread(server.add, "ada", "office", "admin")).token()
    await import_busybox(OTHER, url=server.docker_url)
    made = Town(server, token, seed, residents=residents)
    try:
        await made.found()
        yield made
        await made.reckon()
        print(f"{made.stream.asked} requests were taken")
        await made.leave()
        server.assert_no_traceback()
    finally:
        for api in made.apis.values():
            await api.close()


def settings() -> dict[str, dict[str, object]]:
    """Ports of the machine that other services on it do not give as well."""
    first = 12000 + 100 * secrets.randbelow(180)
    return {"hosts": {"heartbeat": 0.5}, "networks": {"provider": "local", "published": f"{first}-{first + 99}"}}


async def test_networks_and_volumes_of_a_service_that_is_killed_are_whole_or_gone(
    docker_url: str, tmp_path: Path, seed: int, times: int
) -> None:
    server = AllInOne(tmp_path, docker_url, settings())
    moments = random.Random(seed)

    async def kill_it_again_and_again() -> None:
        for _ in range(4 * times):
            # One in five comes before it answers at all.
            if moments.random() < 0.8:
                await asyncio.to_thread(server.wait_until_it_answers)
            await asyncio.sleep(moments.uniform(0.0, 2.0))
            server.kill()
            server.spawn()
        await asyncio.to_thread(server.wait_until_it_answers)

    try:
        async with town(server, seed) as here:
            await here.stream.during(kill_it_again_and_again)
    finally:
        server.remove()


async def test_networks_and_volumes_on_an_engine_that_is_killed_and_returns_are_there_again(
    own_engine: OwnEngine, tmp_path: Path, seed: int, times: int
) -> None:
    server = Within(tmp_path, own_engine, settings())
    moments = random.Random(seed)

    async def kill_the_engine() -> None:
        for _ in range(2 * times):
            await asyncio.sleep(moments.uniform(2.0, 4.0))
            await asyncio.to_thread(own_engine.kill)
            await asyncio.sleep(moments.uniform(0.0, 1.5))
            await asyncio.to_thread(own_engine.start)
        await asyncio.sleep(1)

    try:
        async with town(server, seed, residents=4) as here:
            await here.stream.during(kill_the_engine)
    finally:
        server.end()


async def test_parts_of_networks_that_somebody_removed_are_there_again(
    own_engine: OwnEngine, tmp_path: Path, seed: int, times: int
) -> None:
    server = Within(tmp_path, own_engine, settings())
    chance = random.Random(seed)
    kinds = list(HARM)
    chance.shuffle(kinds)
    harms = cycle(kinds)

    async def take_parts_away() -> None:
        for _ in range(len(kinds) * times):
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            await HARM[next(harms)](server, chance)

    try:
        async with town(server, seed, residents=4) as here:
            await here.stream.during(take_parts_away)
            await stir(server)
            await here.reckon()
            # At rest, each once more.
            for kind in kinds:
                print(kind)
                await HARM[kind](server, chance)
                await stir(server)
                await here.reckon()
    finally:
        server.end()


async def stir(server: AllInOne) -> None:
    """A container of nobody's comes to the host, upon which its agent looks at everything, as it does now and then in any case."""
    nobody = ContainerId(secrets.token_hex(8))
    labels = {terms.OWNER: server.owner, terms.CAPSULE: nobody, terms.CONTAINER: nobody, terms.EPOCH: "1"}
    body = {"Image": BUSYBOX, "Cmd": ["true"], "Labels": {**labels, terms.RESTARTS: "0"}}
    async with Engine(server.docker_url) as engine:
        await engine.call("POST", "containers/create", {"name": terms.name(nobody)}, body=body)


# What somebody may do by hand.


async def lose_a_sandbox(server: AllInOne, chance: random.Random) -> None:
    """As `docker rm -f` does, or as if it had crashed."""
    found = await on_engine(server.docker_url, server.owner)
    sandboxes = sorted(each.whole["Id"] for each in found if each.is_sandbox and each.marks is not None)
    if sandboxes:
        chosen, force = chance.choice(sandboxes), {"force": True}
        async with Engine(server.docker_url) as engine:
            # Somebody else was quicker, or is at it.
            with suppress(aiodocker.DockerError):
                if chance.random() < 0.5:
                    await engine.call("DELETE", f"containers/{chosen}", force)
                else:
                    await engine.call("POST", f"containers/{chosen}/kill")


async def lose_a_namespace(server: AllInOne, chance: random.Random) -> None:
    await _in_a_router(server, chance, "ip netns del {router}")


async def lose_a_bridge(server: AllInOne, chance: random.Random) -> None:
    await _in_a_router(server, chance, "ip -n {router} link del br0")


async def lose_an_uplink(server: AllInOne, chance: random.Random) -> None:
    await _in_a_router(server, chance, "ip -n {router} link del up0")


async def lose_a_port(server: AllInOne, chance: random.Random) -> None:
    await _in_a_router(
        server, chance, "ip -n {router} link del $(ip -n {router} -br link | grep -o -m 1 'hgp[0-9a-f]*')"
    )


async def lose_a_name_server(server: AllInOne, chance: random.Random) -> None:
    await _in_a_router(server, chance, "kill -9 $(ip netns pids {router})")


async def lose_all_rules(server: AllInOne, chance: random.Random) -> None:
    """Those of the host, as a firewall that is loaded anew does, but Docker's."""
    await _in_a_router(
        server, chance, "nft delete table inet higgins; iptables -F DOCKER-USER; iptables -A DOCKER-USER -j RETURN"
    )


async def _in_a_router(server: AllInOne, chance: random.Random, script: str) -> None:
    routers = sorted(await asyncio.to_thread(Machine(server).routers, server.owner))
    if routers:
        told = script.format(router=chance.choice(routers))
        # What it was meant for may just have gone.
        await asyncio.to_thread(Machine(server).says, "sh", "-c", told)


HARM: Mapping[str, Callable[[AllInOne, random.Random], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        *(lose_a_sandbox, lose_a_namespace, lose_a_bridge, lose_an_uplink),
        *(lose_a_port, lose_a_name_server, lose_all_rules),
    )
}
