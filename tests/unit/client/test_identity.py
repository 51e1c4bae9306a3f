"""What the client promises about logging in at a Keystone."""

import json
from typing import Any

import pytest

from higgins import errors
from higgins.client.connection import Trust
from higgins.client.identity import ApplicationCredential, HeldToken, Login, Named, Password
from tests.unit.client.stub import Asked, Given, serving

WHO = Named(name="martha", domain_name="Garden Club")


def token(*endpoints: dict[str, Any], kind: str = "container") -> Given:
    """What a Keystone answers."""
    body = {
        "token": {
            "user": {"id": "u1", "name": "martha"},
            "project": {"id": "p1", "name": "garden"},
            "roles": [{"id": "r", "name": "member"}],
            "expires_at": "2030-01-01T00:00:00.000000Z",
            "catalog": [{"type": "compute", "endpoints": []}, {"type": kind, "endpoints": list(endpoints)}],
        }
    }
    return Given(201, body, {"X-Subject-Token": "t0ken"})


def endpoint(interface: str, region: str, url: str) -> dict[str, Any]:
    return {"interface": interface, "region_id": region, "url": url}


BOTH = (
    endpoint("internal", "North", "http://inside/v1"),
    endpoint("public", "North", "http://north/v1/"),
    endpoint("public", "South", "http://south/v1"),
)


def test_a_password_becomes_a_session_with_the_address_of_the_service():
    with serving(token(*BOTH)) as server:
        found = Login(f"{server.url}/identity/v3/", Trust()).log_in(
            Password(user=WHO, password="x", project=Named(name="garden"))
        )
    assert (found.token, found.user, found.project, found.roles) == ("t0ken", "martha", "garden", ("member",))
    assert found.endpoint == "http://north/v1"
    assert found.expires_at == 1893456000.0
    sent = json.loads(server.asked[0].body)["auth"]
    assert server.asked[0].target == "/identity/v3/auth/tokens"
    assert sent["identity"]["password"]["user"]["domain"] == {"name": "Garden Club"}
    assert sent["scope"] == {"project": {"name": "garden", "domain": {"name": "Default"}}}


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"region": "South"}, "http://south/v1"),
        ({"interface": "internal"}, "http://inside/v1"),
        ({"interface": "internalURL"}, "http://inside/v1"),
        ({"region": "West"}, None),
    ],
)
def test_region_and_interface_choose_among_the_endpoints(options, url):
    with serving(token(*BOTH, kind="application-container")) as server:
        found = Login(server.url, Trust(), **options).log_in(ApplicationCredential(id="i", secret="s"))
    assert found.endpoint == url


def test_an_address_without_a_version_is_asked_for_version_3():
    with serving(token()) as server:
        Login(f"{server.url}/identity", Trust()).log_in(ApplicationCredential(name="n", user=WHO, secret="s"))
    assert server.asked[0].target == "/identity/v3/auth/tokens"
    held = json.loads(server.asked[0].body)["auth"]["identity"]["application_credential"]
    assert held == {"name": "n", "secret": "s", "user": {"name": "martha", "domain": {"name": "Garden Club"}}}


def test_a_token_of_somebody_else_is_looked_up_and_not_exchanged():
    with serving(token(*BOTH)) as server:
        found = Login(server.url, Trust()).log_in(HeldToken(token="held"))
    assert found.token == "held"
    assert server.asked[0].method == "GET"
    assert server.asked[0].headers["X-Subject-Token"] == "held"


@pytest.mark.parametrize("given", ["", "/", "/identity", "/identity/v3"])
def test_a_login_is_found_below_an_address(given):
    def answer(asked: Asked) -> Given:
        if asked.target == "/identity/v3/":
            return Given(200, {"version": {"id": "v3.14"}})
        return Given(404, {})

    with serving(answer) as server:
        assert Login.at(server.url + given, Trust()).url == f"{server.url}/identity/v3"


def test_an_address_without_a_login_is_told_with_what_it_should_be():
    with serving(Given(200, {"versions": []})) as server, pytest.raises(errors.NotFound) as refusal:
        Login.at(server.url, Trust())
    assert refusal.value.__notes__


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"token": {}}'])
def test_what_is_no_login_is_told(body):
    with serving(Given(200, body)) as server, pytest.raises(errors.Unavailable):
        Login(server.url, Trust()).log_in(ApplicationCredential(id="i", secret="s"))
