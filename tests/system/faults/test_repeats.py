"""The control plane is killed while it answers requests that can be repeated: whoever asks again gets what was asked for, once."""

import asyncio
import random
import sqlite3
from pathlib import Path

import aiohttp
import pytest

from tests.system.faults.claims import assert_no_claim_leaks
from tests.system.servers import Control

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

AT_ONCE = 40
ROUNDS = 4
NOWHERE = "unix:///nowhere/docker.sock"


async def test_a_create_that_is_sent_again_after_a_kill_makes_one_container(tmp_path: Path, seed: int) -> None:
    server = Control(tmp_path, NOWHERE)
    moments = random.Random(seed)
    keys = [f"key-{number}" for number in range(AT_ONCE * ROUNDS)]
    try:
        await asyncio.to_thread(server.start)
        token = (await asyncio.to_thread(server.add, "ada", "office")).token()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            for number in range(ROUNDS):
                async with asyncio.TaskGroup() as group:
                    for key in keys[number * AT_ONCE :][:AT_ONCE]:
                        group.create_task(_create(http, server, token, key))
                    await asyncio.sleep(moments.uniform(0.02, 0.25))
                    server.kill()
                await asyncio.to_thread(server.start)
            print(f"{_unanswered(server)} were made, and nobody was told")
            made = {key: await _until_made(http, server, token, key) for key in keys}
        assert len(set(made.values())) == len(keys)
        assert _containers(server) == sorted(made.values())
        assert_no_claim_leaks(server.database)
        server.assert_no_traceback()
    finally:
        server.end()


async def _create(http: aiohttp.ClientSession, server: Control, token: str, key: str) -> tuple[int, str] | None:
    """Status, and what was made; None if the connection was cut off."""
    headers = {"X-Auth-Token": token, "OpenStack-API-Version": "container 1.41", "Idempotency-Key": key}
    try:
        async with http.post(f"{server.url}/v1/containers", json={"image": "busybox"}, headers=headers) as answer:
            body = await answer.json()
            return answer.status, body.get("uuid", "")
    except aiohttp.ClientError:
        return None


async def _until_made(http: aiohttp.ClientSession, server: Control, token: str, key: str) -> str:
    async with asyncio.timeout(30):
        while True:
            match await _create(http, server, token, key):
                case 202, made:
                    return made
                case 409, _:
                    await asyncio.sleep(0.2)
                case other:
                    raise AssertionError(other)


def _containers(server: Control) -> list[str]:
    with sqlite3.connect(server.database) as db:
        return [row[0] for row in db.execute("SELECT id FROM capsules ORDER BY id")]


def _unanswered(server: Control) -> int:
    asked = "SELECT count(*) FROM repeats JOIN actions USING (request_id) WHERE repeats.status IS NULL"
    with sqlite3.connect(server.database) as db:
        return int(db.execute(asked).fetchone()[0])
