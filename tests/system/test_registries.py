"""Registries with stored credentials, through a real all-in-one, for a real registry with a certificate of its own authority and a password."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from zunclient import client
from zunclient import exceptions as refused

from tests.system import clients, registries
from tests.system.clients import Person, settled, until
from tests.system.registries import Registry, published
from tests.system.servers import AllInOne, Login

FIRST, SECOND = registries.HASHES
"""The passwords."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the registry keeps what it has, and who may have it."""
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def registry(docker_url: str, place: Path) -> Iterator[Registry]:
    host, users = registries.engine_address(docker_url), {"martha": FIRST}
    with registries.registry(place, host=host, users=users, tls=True) as running:
        yield running
        assert registries.left(running) == []


@pytest.fixture(scope="module")
def server(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllInOne]:
    """One of their own, whose files are looked through, with everything in its log that can be."""
    server = AllInOne(tmp_path_factory.mktemp("all-in-one"), docker_url, {"DEFAULT": {"log_level": "debug"}})
    server.start()
    try:
        yield server
        assert_nowhere(server)
        server.assert_no_traceback()
    finally:
        server.remove()
    assert_nowhere(server)


@pytest.fixture(scope="module")
def login(server: AllInOne) -> Login:
    return server.add("martha", "garden")


@pytest.fixture(scope="module")
def person(login: Login) -> Person:
    return Person(login)


@pytest.fixture(scope="module")
def zun(login: Login) -> client.Client:
    return clients.library(login)


@pytest.fixture(autouse=True)
def nothing_left(zun: client.Client) -> Iterator[None]:
    """One test's containers and registries must not be another's trouble."""
    yield
    for one in zun.containers.list():
        zun.containers.delete(one.uuid, stop=True)
    until(lambda: zun.containers.list() == [], "an empty project")
    for one in zun.registries.list():
        zun.registries.delete(one.uuid)


def assert_nowhere(server: AllInOne) -> None:
    """No password is in any file of the server, neither in clear nor as it travels."""
    files = [file for file in server.directory.rglob("*") if file.is_file()]
    assert {server.database, server.log} <= set(files)
    content = {file: file.read_bytes() for file in files}
    # Where the one is, the other would be.
    assert any(b"martha" in one for file, one in content.items() if file.name.startswith(server.database.name))
    for password in (FIRST, SECOND):
        for file, one in content.items():
            assert not [each for each in disguises(password) if each in one], file


def disguises(password: str) -> list[bytes]:
    """In clear, and in base64 wherever it begins."""
    found = [password.encode()]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + password.encode())
        # What its neighbours have a part in says nothing.
        found.append(encoded[4 if before else 0 : -4])
    return found


@contextmanager
def private(registry: Registry, name: str) -> Iterator[str]:
    """The reference of a new image that the registry gives to martha alone."""
    with published(registry, name, user="martha") as reference:
        yield reference


def ends(zun: client.Client, ref: str, status: str) -> str:
    """Wait until the container is so, and tell the reason."""
    until(lambda: zun.containers.get(ref).status == status, f"{ref} {status}")
    return str(zun.containers.get(ref).status_reason)


def test_zun_stores_a_registry_and_a_container_that_names_it_is_made_from_it(
    registry: Registry, person: Person, zun: client.Client, server: AllInOne
) -> None:
    said = person.zun(
        *("registry-create", "--name", "mine", "--domain", registry.address),
        *("--username", "martha", "--password", FIRST),
    )
    assert "***" in said
    with private(registry, "team/secret:1") as reference:
        # With the registry's address in the image's name, and without.
        person.zun("create", "--name", "full", "--registry", "mine", reference, "true")
        person.zun("run", "--name", "short", "--registry", "mine", "team/secret:1", "ls", "/part0")
        until(lambda: settled(zun.containers.get("full"), "Created"), "Created")
        until(lambda: settled(zun.containers.get("short"), "Stopped"), "its end")
        assert person.zun("logs", "short").strip() == "/part0"
        for said in (
            person.zun("registry-show", "-f", "json", "mine"),
            person.zun("registry-list", "--username", "martha"),
            person.zun("show", "full"),
            person.zun("action-list", "full"),
        ):
            assert FIRST not in said
        assert json.loads(person.zun("registry-show", "-f", "json", "mine"))["registry"]["password"] == "***"
        assert_nowhere(server)
        person.zun("delete", "full", "short")
        until(lambda: zun.containers.list() == [], "the deletes")


def test_openstack_appcontainer_stores_a_registry_and_a_container_that_names_it_is_made_from_it(
    registry: Registry, person: Person, zun: client.Client
) -> None:
    made = json.loads(
        person.openstack(
            *("registry", "create", "-f", "json", "--name", "ours", "--domain", registry.address),
            *("--username", "martha", "--password", FIRST),
        )
    )
    assert (made["domain"], made["username"], made["password"]) == (registry.address, "martha", "***")
    with private(registry, "team/treasure:1") as reference:
        person.openstack("run", "--name", "dig", "--registry", "ours", reference, "true")
        until(lambda: settled(zun.containers.get("dig"), "Stopped"), "its end")
        [listed] = json.loads(person.openstack("registry", "list", "-f", "json", "--name", "ours"))
        assert (listed["uuid"], listed["password"]) == (made["uuid"], "***")
        assert "delete for registry ours failed" in person.openstack("registry", "delete", "ours").lower()
        person.openstack("delete", "dig")
        until(lambda: zun.containers.list() == [], "the delete")
    person.openstack("registry", "update", "--name", "yours", "--username", "otto", "ours")
    shown = json.loads(person.openstack("registry", "show", "-f", "json", "yours"))
    assert (shown["uuid"], shown["username"]) == (made["uuid"], "otto")
    assert "accepted" in person.openstack("registry", "delete", "yours")
    assert zun.registries.list() == []


def test_a_wrong_password_is_named_and_a_corrected_one_counts_from_the_next_fetch(
    registry: Registry, person: Person, zun: client.Client, place: Path, server: AllInOne
) -> None:
    person.zun(
        *("registry-create", "--name", "mine", "--domain", registry.address),
        *("--username", "martha", "--password", SECOND),
    )
    with private(registry, "team/changing:1") as reference:
        person.zun("create", "--name", "early", "--registry", "mine", reference, "true")
        reason = ends(zun, "early", "Error")
        assert f"registry {registry.address} refuses the credentials of martha" in reason
        assert "Correct them" in reason
        with pytest.raises(refused.Forbidden, match="refuses the credentials of martha"):
            zun.images.search_image(f"{registry.address}/changing")
        assert "***" in person.zun("registry-update", "--password", FIRST, "mine")
        person.zun("create", "--name", "late", "--registry", "mine", reference, "true")
        until(lambda: settled(zun.containers.get("late"), "Created"), "Created")
        assert [one.tags for one in zun.images.search_image(f"{registry.address}/changing")] == [["1"]]
        person.zun("delete", "early", "late")
    registries.set_passwords(place, {"martha": SECOND})
    try:
        with private(replace(registry, users={"martha": SECOND}), "team/changed:1") as reference:
            person.zun("create", "--name", "later", "--registry", "mine", reference, "true")
            assert "refuses the credentials of martha" in ends(zun, "later", "Error")
            person.zun("registry-update", "--password", SECOND, "mine")
            person.zun("create", "--name", "latest", "--registry", "mine", reference, "true")
            until(lambda: settled(zun.containers.get("latest"), "Created"), "Created")
            assert_nowhere(server)
            person.zun("delete", "later", "latest")
            until(lambda: zun.containers.list() == [], "the deletes")
    finally:
        registries.set_passwords(place, {"martha": FIRST})


def test_a_registry_that_a_container_names_cannot_be_deleted(
    registry: Registry, person: Person, zun: client.Client
) -> None:
    zun.registries.create(name="used", domain=registry.address, username="martha", password=FIRST)
    with private(registry, "team/held:1") as reference:
        holds = zun.containers.create(image=reference, registry="used", command=["true"])
        with pytest.raises(refused.Conflict):
            zun.registries.delete("used")
        assert "Delete for registry used failed" in person.zun("registry-delete", "used")
        until(lambda: settled(zun.containers.get(holds.uuid), "Created"), "Created")
        zun.containers.delete(holds.uuid)
        until(lambda: zun.containers.list() == [], "the delete")
        assert "accepted" in person.zun("registry-delete", "used")
    with pytest.raises(refused.NotFound):
        zun.registries.get("used")


def test_a_stored_password_serves_nobody_else(registry: Registry, zun: client.Client, server: AllInOne) -> None:
    zun.registries.create(name="mine", domain=registry.address, username="martha", password=FIRST)
    other = clients.library(server.add("otto", "orchard"))
    with private(registry, "team/own:1") as reference:
        mine = zun.containers.create(image=reference, registry="mine", command=["true"])
        until(lambda: settled(zun.containers.get(mine.uuid), "Created"), "Created")
        with pytest.raises(refused.NotFound):
            other.containers.create(image=reference, registry="mine", command=["true"])
        theirs = other.containers.create(image=reference, command=["true"])
        assert "or it is private" in ends(other, theirs.uuid, "Error")
        other.containers.delete(theirs.uuid)
        until(lambda: other.containers.list() == [], "the delete")
        zun.containers.delete(mine.uuid)
        until(lambda: zun.containers.list() == [], "the delete")
