"""Enrolment over real connections: a join token is good once, and leaves the host able to open a session and to renew."""

import asyncio
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from higgins import errors
from higgins.link import credentials
from higgins.link.certificates import Authority, KeyPair
from higgins.link.client import connect
from higgins.link.enrolment import JoinToken, enrol, renew
from tests.flow.linked import ControlPlane, answers_nothing, control_plane, host


@pytest.fixture
async def plane(tmp_path: Path):
    async with control_plane(tmp_path / "plane") as plane:
        yield plane


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "agent"


async def test_whoever_has_enrolled_can_open_a_session(plane: ControlPlane, home: Path):
    enrolled = await enrol(plane.token(), "h1", home)
    assert enrolled.name == "h1"
    async with host(plane, credentials=enrolled):
        assert plane.proved == [enrolled.host_id]


async def test_what_is_kept_is_readable_by_its_owner_only(plane: ControlPlane, home: Path):
    enrolled = await enrol(plane.token(), "h1", home)
    assert credentials.load(home) == enrolled
    assert [stat.S_IMODE(os.stat(home / name).st_mode) for name in os.listdir(home)] == [0o600]


async def test_a_restart_with_the_same_token_finds_what_was_kept(plane: ControlPlane, home: Path):
    token = plane.token()
    assert await enrol(token, "h1", home) == await enrol(token, "h1", home)


async def test_a_token_is_good_once(plane: ControlPlane, home: Path, tmp_path: Path):
    token = plane.token()
    await enrol(token, "h1", home)
    with pytest.raises(errors.Unauthenticated, match="higgins host token"):
        await enrol(token, "h2", tmp_path / "second")
    assert credentials.load(tmp_path / "second") is None


async def test_of_many_that_use_a_token_at_once_one_gets_in(plane: ControlPlane, tmp_path: Path):
    token = plane.token()

    async def attempt(number: int) -> bool:
        try:
            await enrol(token, "h", tmp_path / str(number))
        except errors.Unauthenticated:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        attempts = [group.create_task(attempt(number)) for number in range(10)]
    assert sum(task.result() for task in attempts) == 1


async def test_a_name_that_is_taken_or_is_none_costs_no_token(plane: ControlPlane, home: Path):
    token = plane.token()
    plane.tokens.taken.add("h1")
    with pytest.raises(errors.Conflict, match="h1"):
        await enrol(token, "h1", home)
    with pytest.raises(errors.Invalid, match="no name for a host"):
        await enrol(token, "a b", home)
    assert (await enrol(token, "h2", home)).name == "h2"


async def test_an_expired_token_is_told_so(plane: ControlPlane, home: Path):
    token = plane.token()
    plane.tokens.good.clear()
    with pytest.raises(errors.Unauthenticated, match=r"expired.*higgins host token"):
        await enrol(token, "h1", home)


async def test_a_new_token_makes_a_removed_host_a_new_one(plane: ControlPlane, home: Path):
    first = await enrol(plane.token(), "h1", home)
    plane.revoked.add(first.host_id)
    second = await enrol(plane.token(), "h1", home)
    assert second.host_id != first.host_id
    async with host(plane, credentials=second):
        pass


async def test_a_token_is_not_given_to_a_control_plane_that_is_not_the_one_in_it(plane: ControlPlane, home: Path):
    mine = Authority.open(home / "other")
    forged = JoinToken.make(plane.address, plane.ports.enrol, mine)
    plane.tokens.good.add(forged.digest)
    with pytest.raises(errors.Unavailable, match="not the one"):
        await enrol(str(forged), "h1", home)
    assert forged.digest in plane.tokens.good


async def test_nobody_answering_costs_no_token(plane: ControlPlane, home: Path, unused_tcp_port: int):
    token = replace(JoinToken.parse(plane.token()), enrol_port=unused_tcp_port)
    with pytest.raises(errors.Unavailable, match=f"127.0.0.1:{unused_tcp_port}"):
        await enrol(str(token), "h1", home)
    assert (await enrol(str(replace(token, enrol_port=plane.ports.enrol)), "h1", home)).name == "h1"


async def test_where_nothing_can_be_kept_the_operator_is_told_where(plane: ControlPlane, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.Broken, match=str(tmp_path / "file")):
        await enrol(plane.token(), "h1", tmp_path / "file")


async def test_a_renewed_certificate_is_the_same_host_with_another_key(plane: ControlPlane, home: Path):
    enrolled = await enrol(plane.token(), "h1", home)
    renewed = await renew(enrolled, home)
    assert renewed.host_id == enrolled.host_id
    assert renewed.key != enrolled.key
    assert renewed.expires_at > enrolled.expires_at
    assert credentials.load(home) == renewed
    async with host(plane, credentials=renewed):
        pass


async def test_a_revoked_host_cannot_renew(plane: ControlPlane, home: Path):
    enrolled = await enrol(plane.token(), "h1", home)
    plane.revoked.add(enrolled.host_id)
    with pytest.raises(errors.Unavailable, match="revoked"):
        await renew(enrolled, home)
    assert credentials.load(home) == enrolled


async def test_the_door_for_strangers_offers_nothing_but_enrolment(plane: ControlPlane):
    strangers = replace(plane.credentials(), address=f"127.0.0.1:{plane.ports.enrol}")
    with pytest.raises(errors.Unavailable):
        async with connect(strangers, answers_nothing):
            pass
    assert plane.proved == []


async def test_the_link_lets_nobody_in_without_a_certificate(plane: ControlPlane, home: Path):
    token = replace(JoinToken.parse(plane.token()), enrol_port=plane.ports.link)
    with pytest.raises(errors.Unavailable):
        await enrol(str(token), "h1", home)


async def test_a_host_cannot_pass_for_the_control_plane(plane: ControlPlane, tmp_path: Path):
    """With its own certificate, one host could otherwise give orders to another."""
    evil = plane.credentials()
    honest = plane.credentials()

    class Borrowed(Authority):
        def server(self, addresses: object = ()) -> KeyPair:
            return KeyPair(certificate=evil.certificate.encode(), key=evil.key.encode())

    async with control_plane(tmp_path, authority=Borrowed.open(tmp_path / "plane")) as impostor:
        with pytest.raises(errors.Unavailable, match="not the one"):
            async with connect(replace(honest, address=impostor.address), answers_nothing):
                pass
