"""Against which endpoint the table is tried, and what is left out there.

`python -m pytest tests/compat --endpoint URL` asks any endpoint of the Containers API, as whoever the OS_* variables name or with `--token`; nothing of
this project's own code is asked. Without an endpoint a server of our own is started on the real Docker Engine, once.
"""

import asyncio
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.compat import ground, table, wire
from tests.compat.ground import Ground
from tests.compat.rows import ROWS
from tests.compat.table import ADMIN, MEMBER, STRANGER, Row
from tests.system.engine import BUSYBOX, docker_url, forget
from tests.system.servers import AllInOne

__all__ = ["docker_url"]

LEFT_OUT = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("compat", "the compatibility suite")
    group.addoption("--endpoint", help="the address of a Containers API, with or without /v1; default: one of our own")
    group.addoption("--token", help="of an ordinary user there; default: whoever the OS_* variables name")
    group.addoption(
        "--admin-token", help="of an administrator there; without it the rows of administrators are left out"
    )
    group.addoption(
        "--stranger-token", help="of a user of another project; without it the rows of strangers are left out"
    )
    group.addoption("--image", help="an image that can be fetched there and has a shell; default: busybox")
    group.addoption(
        "--upstream", action="store_true", help="expect what Zun does where it differs from Higgins on purpose"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each row."""
    if "row" in metafunc.fixturenames:
        chosen = list(_chosen(metafunc.config))
        names = [str(row) for row in chosen]
        twice = sorted({name for name in names if names.count(name) > 1})
        assert not twice, f"rows that cannot be told apart: {twice}"
        metafunc.parametrize("row", chosen, ids=names)


def _chosen(config: pytest.Config) -> Iterator[Row]:
    upstream, missing = _asked(config, "upstream") is True, _missing(config)
    left = config.stash.setdefault(LEFT_OUT, {})
    for row in ROWS:
        why = table.left_out(row, upstream=upstream, ours=_asked(config, "endpoint") is None)
        if row.who in missing:
            why = f"nobody gave a token of {row.who}"
        if why is None:
            yield row
        else:
            left[str(row)] = why


def _missing(config: pytest.Config) -> set[str]:
    if _asked(config, "endpoint") is None:
        return set()
    return {who for who in (ADMIN, STRANGER) if _asked(config, f"{who}_token") is None}


def _asked(config: pytest.Config, option: str) -> object:
    # Whoever runs all rooms at once has not loaded the options of this one.
    return config.getoption(option, default=None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was not tried is counted and listed."""
    left = config.stash.get(LEFT_OUT, {})
    if left:
        terminalreporter.section(f"{len(left)} rows of the compatibility table were left out")
        for why in sorted(set(left.values())):
            rows = [row for row, reason in left.items() if reason == why]
            terminalreporter.line(f"{len(rows)}: {why}")
            for row in rows:
                terminalreporter.line(f"    {row}")


@pytest.fixture(scope="session")
def there(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """The ground that the rows are tried on."""
    endpoint = _asked(request.config, "endpoint")
    made = _elsewhere(request.config, str(endpoint)) if endpoint else request.getfixturevalue("at_home")
    yield made
    made.clear()


@pytest.fixture(scope="session")
def at_home(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A server of our own with one host, and three people."""
    # Ports of its own: other tests publish theirs at the same time.
    settings = {"networks": {"provider": "local", "published": "61000-61999"}}
    server = AllInOne(tmp_path_factory.mktemp("compat"), docker_url, settings)
    server.start()
    try:
        with ThreadPoolExecutor() as pool:
            people = {
                who: pool.submit(server.add, user, project, role)
                for who, user, project, role in (
                    (MEMBER, "martha", "garden", "member"),
                    (STRANGER, "otto", "orchard", "member"),
                    (ADMIN, "ada", "office", "admin"),
                )
            }
        tokens = {who: wire.login(person.result().environment) for who, person in people.items()}
        with socket.create_server(("127.0.0.1", 0)) as silent:
            made = ground.survey(server.url, tokens, BUSYBOX, silent=f"127.0.0.1:{silent.getsockname()[1]}")
            yield made
        server.assert_no_traceback()
        asyncio.run(forget(f"{made.mark}/commit:latest"))
    finally:
        server.remove()


def _elsewhere(config: pytest.Config, endpoint: str) -> Ground:
    given = {who: _asked(config, f"{who}_token") for who in (ADMIN, STRANGER)}
    tokens = {MEMBER: str(_asked(config, "token") or wire.login(os.environ))}
    tokens |= {who: str(token) for who, token in given.items() if token}
    image = str(_asked(config, "image") or "busybox")
    upstream = _asked(config, "upstream") is True
    return ground.survey(endpoint.rstrip("/").removesuffix("/v1"), tokens, image, upstream=upstream)
