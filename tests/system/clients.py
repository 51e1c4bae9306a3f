"""People at a shell with Zun's own clients: as processes, or faster, in this one."""

import contextlib
import io
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import openstackclient.shell
import pytest
import requests
import zunclient.shell
from keystoneauth1 import session
from keystoneauth1.identity import v3
from openstackclient.common import clientmanager
from zunclient import client

from higgins.api.zun.microversion import MAX
from tests.system.servers import Login

BIN = Path(sys.executable).parent
PATIENCE = 30.0
LASTS = ("sh", "-c", "trap exit TERM; sleep 600 & wait")
"""A command that goes on until it is told to end, and then ends at once."""


class Person:
    """Somebody at a shell."""

    def __init__(self, login: Login) -> None:
        self._said = {**login.environment, "COLUMNS": "200", "PYTHONWARNINGS": "ignore"}
        self._environment = {**os.environ, **self._said}

    def types(self, *words: str) -> str:
        """What the command prints. An AssertionError if it fails."""
        ran = self.tries(*words)
        assert ran.returncode == 0, f"{' '.join(words)}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def tries(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """The same, however it ends."""
        command = [str(BIN / words[0]), *words[1:]]
        return subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def zun(self, *words: str) -> str:
        """What `zun` prints, its own code called in this process. An AssertionError if it fails."""

        def act() -> None:
            zunclient.shell.OpenStackZunShell().main(words)

        return _printed(act, self._said, words)

    def openstack(self, *words: str) -> str:
        """The same with `openstack appcontainer`."""

        def act() -> None:
            # It keeps the client of whoever was the first of this process.
            clientmanager.get_plugin_modules("openstack.cli.extension")
            status = openstackclient.shell.OpenStackShell().run(["appcontainer", *words])
            assert not status, f"it ended with {status}"

        return _printed(act, self._said, words)


def _printed(act: Callable[[], None], environment: Mapping[str, str], words: tuple[str, ...]) -> str:
    out, err = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    loud, handlers = root.level, list(root.handlers)
    with _environment(environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            act()
        except (Exception, SystemExit) as trouble:
            raise AssertionError(f"{' '.join(words)}: {trouble!r}: {out.getvalue()}{err.getvalue()}") from trouble
        finally:
            # Each of them installs its own, which would write where nobody reads any more.
            root.handlers[:] = handlers
            root.setLevel(loud)
    return out.getvalue()


@contextlib.contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in more.items():
            patch.setenv(name, value)
        yield


def library(login: Login, version: str = "1.latest") -> client.Client:
    """Zun's library as a program would use it."""
    asked = login.environment
    password = v3.Password(
        auth_url=asked["OS_AUTH_URL"],
        username=asked["OS_USERNAME"],
        password=asked["OS_PASSWORD"],
        project_name=asked["OS_PROJECT_NAME"],
        user_domain_name="Default",
        project_domain_name="Default",
    )
    return client.Client(version, session=session.Session(auth=password))


class Newest:
    """Reads in the API's newest version, which Zun's library does not speak."""

    def __init__(self, login: Login) -> None:
        self._url = login.environment["OS_AUTH_URL"].removesuffix("/identity/v3")
        self._headers = {"X-Auth-Token": login.token(), "OpenStack-API-Version": f"container {MAX}"}

    def get(self, path: str) -> Any:
        """What stands there, under /v1. An AssertionError for a refusal."""
        answer = requests.get(f"{self._url}/v1{path}", headers=self._headers, timeout=PATIENCE)
        assert answer.ok, answer.text
        return answer.json()


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for it. A person would look again, too."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)


def settled(container: Any, status: str) -> bool:
    assert container.status != "Error" or status == "Error", container.status_reason
    return bool(container.status == status and container.task_state is None)
