"""What the system tests share: one real all-in-one for those that leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.system.engine import docker_url, registry_address
from tests.system.servers import QUOTA, AllInOne, Login

__all__ = ["docker_url", "registry_address"]


@pytest.fixture(scope="session")
def all_in_one(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllInOne]:
    """A real all-in-one that answers, on the real engine. Not to be killed: who wants that starts one of their own."""
    server = AllInOne(tmp_path_factory.mktemp("all-in-one"), docker_url, {"quota": QUOTA})
    server.start()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def member(all_in_one: AllInOne) -> Login:
    """An ordinary user."""
    return all_in_one.add("martha", "garden", "member")


@pytest.fixture(scope="session")
def stranger(all_in_one: AllInOne) -> Login:
    """An ordinary user of another project."""
    return all_in_one.add("otto", "orchard", "member")


@pytest.fixture(scope="session")
def admin(all_in_one: AllInOne) -> Login:
    """An administrator."""
    return all_in_one.add("ada", "office", "admin")


@pytest.fixture(scope="session")
def networked(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllInOne]:
    """The same with networks of its host's own, and an API that listens on all of the host's addresses."""
    settings = {"networks": {"provider": "local"}, "api": {"host_ip": "0.0.0.0"}}
    server = AllInOne(tmp_path_factory.mktemp("networked"), docker_url, settings)
    server.start()
    try:
        yield server
        server.assert_no_traceback()
    finally:
        server.remove()
