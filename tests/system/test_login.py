"""Logging in to a real all-in-one with OpenStack's own clients and the usual variables."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from keystoneauth1 import loading, session
from keystoneauth1.exceptions import Unauthorized
from zunclient import client

from tests.system.servers import AllInOne, Login, environment

COMMANDS = Path(sys.executable).parent


def run(login: Login, *words: str) -> subprocess.CompletedProcess[str]:
    """One of the clients' commands, as this user."""
    return subprocess.run(
        [str(COMMANDS / words[0]), *words[1:]],
        env={**environment(), **login.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def auth(login: Login, **changed: str):
    """keystoneauth's plugin for these variables."""
    asked = login.environment
    options = {
        "auth_url": asked["OS_AUTH_URL"],
        "username": asked["OS_USERNAME"],
        "password": asked["OS_PASSWORD"],
        "project_name": asked["OS_PROJECT_NAME"],
        "user_domain_name": asked["OS_USER_DOMAIN_NAME"],
        "project_domain_name": asked["OS_PROJECT_DOMAIN_NAME"],
    }
    return loading.get_plugin_loader("password").load_from_options(**options | changed)


def test_the_catalogue_leads_to_the_containers(all_in_one: AllInOne, member: Login):
    own = session.Session(auth(member))
    assert own.get_endpoint(service_type="container", interface="public") == f"{all_in_one.url}/v1"
    assert own.get("/containers", endpoint_filter={"service_type": "container"}).json()["containers"] == []


def test_the_openstack_command_issues_a_token_shows_the_catalogue_and_makes_an_application_credential(
    all_in_one: AllInOne, member: Login
):
    token = run(member, "openstack", "token", "issue", "-f", "json")
    assert token.returncode == 0, token.stderr
    assert {"id", "expires", "project_id", "user_id"} <= json.loads(token.stdout).keys()
    catalogue = run(member, "openstack", "catalog", "list", "-f", "json")
    assert {each["Type"] for each in json.loads(catalogue.stdout)} == {"container", "identity"}
    made = run(member, "openstack", "application", "credential", "create", "robot", "-f", "json")
    robot = json.loads(made.stdout)
    zun = client.Client(
        "1",
        session=session.Session(
            loading.get_plugin_loader("v3applicationcredential").load_from_options(
                auth_url=f"{all_in_one.url}/identity/v3",
                application_credential_id=robot["ID"],
                application_credential_secret=robot["Secret"],
            )
        ),
    )
    assert zun.containers.list() == []
    assert run(member, "openstack", "application", "credential", "delete", "robot").returncode == 0


@pytest.mark.parametrize("changed", [{"password": "wrong"}, {"username": "nobody"}, {"project_name": "orchard"}])
def test_who_is_not_known_or_not_in_the_project_is_not_let_in(member: Login, stranger: Login, changed):
    with pytest.raises(Unauthorized):
        auth(member, **changed).get_access(session.Session())


def test_who_is_disabled_beside_the_running_service_is_out_within_seconds(all_in_one: AllInOne):
    login = all_in_one.add("doris", "dunes")
    own = session.Session(auth(login))
    assert own.get("/containers", endpoint_filter={"service_type": "container"}).status_code == 200
    all_in_one.command("user", "disable", "doris")
    with pytest.raises(Unauthorized):
        ask_on(own, seconds=10)


def ask_on(own: session.Session, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        own.get("/containers", endpoint_filter={"service_type": "container"})
        time.sleep(0.1)
