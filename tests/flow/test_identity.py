"""The login over HTTP, as OpenStack's own clients use it."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keystoneauth1 import discover, session
from keystoneauth1.exceptions import BadRequest, Forbidden, NotFound, Unauthorized
from keystoneauth1.identity import generic, v3
from openstack import connection
from openstack import utils as sdk_utils

from higgins.api.identity import door
from higgins.service.accounts import Accounts
from higgins.service.identity import LocalIdentity
from higgins.store.database import Database
from higgins.store.tables import metadata


@dataclass
class Server:
    """A login with Ann (member of web and shop), Bob (reader of web) and Root (admin of ops)."""

    url: str
    loop: asyncio.AbstractEventLoop
    accounts: Accounts
    identity: LocalIdentity
    ahead: float = 0.0
    """How many seconds the server's clock is ahead."""

    def run(self, verb):
        return asyncio.run_coroutine_threadsafe(verb, self.loop).result(10)

    def auth(self, user: str = "ann", password: str = "secret", **kwargs) -> v3.Password:
        kwargs = kwargs or {"project_name": "web", "project_domain_id": "default"}
        return v3.Password(
            f"{self.url}/identity/v3", username=user, password=password, user_domain_id="default", **kwargs
        )

    def session(self, *args: str, **kwargs) -> session.Session:
        return session.Session(self.auth(*args, **kwargs))


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('state')}/higgins.sqlite")
    metadata.create_all(database.engine)
    database.open()
    ready: list[Server] = []
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        def clock() -> float:
            return time.time() + (ready[0].ahead if ready else 0)

        accounts = Accounts(database, clock=clock)
        identity = LocalIdentity(database, token_lifetime=3600, remembered=0.2, clock=clock)
        for name, project, role in (
            ("ann", "web", "member"),
            ("ann", "shop", "member"),
            ("bob", "web", "reader"),
            ("root", "ops", "admin"),
        ):
            if name not in [user.name for user in await accounts.users()]:
                await accounts.create_user(name, "secret")
            if project not in [project.name for project in await accounts.projects()]:
                await accounts.create_project(project)
            await accounts.grant(name, project, role)
        outer = web.Application()
        outer.add_subapp("/identity", door.application(identity))
        runner = web.AppRunner(outer)
        await runner.setup()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            await web.SockSite(runner, listening).start()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            ready.append(Server(url, asyncio.get_running_loop(), accounts, identity))
            started.set()
            await stop.wait()
            await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(20)
    try:
        yield ready[0]
    finally:
        ready[0].loop.call_soon_threadsafe(stop.set)
        thread.join()
        database.close()


@pytest.mark.parametrize("path", ["/identity", "/identity/", "/identity/v3", "/identity/v3/"])
def test_clients_find_version_3_wherever_they_begin(server, path):
    found = discover.Discover(session.Session(), server.url + path)
    assert found.url_for("3") == f"{server.url}/identity/v3/"
    auth = generic.Password(
        server.url + path,
        username="ann",
        password="secret",
        user_domain_name="Default",
        project_name="web",
        project_domain_name="Default",
    )
    assert auth.get_access(session.Session()).project_name == "web"


def test_the_address_told_is_the_one_that_was_called(server):
    answer = requests.get(f"{server.url}/identity/v3", headers={"Host": "cloud.example.org:8080"})
    assert answer.json()["version"]["links"][0]["href"] == "http://cloud.example.org:8080/identity/v3/"


def test_a_password_gives_a_token_with_names_roles_and_catalogue(server):
    access = server.auth().get_access(session.Session())
    assert (access.username, access.project_name, access.user_domain_name) == ("ann", "web", "Default")
    assert access.role_names == ["member", "reader"]
    for interface in ("public", "internal", "admin"):
        url = access.service_catalog.url_for(service_type="container", interface=interface, region_name="RegionOne")
        assert url == f"{server.url}/v1"
    assert 3500 < (access.expires - access.issued).total_seconds() <= 3600
    caller = server.run(server.identity.caller(access.auth_token))
    assert (caller.user_id, caller.project_id) == (access.user_id, access.project_id)


def test_users_and_projects_can_be_named_by_id(server):
    access = server.auth().get_access(session.Session())
    auth = v3.Password(
        f"{server.url}/identity/v3", user_id=access.user_id, password="secret", project_id=access.project_id
    )
    assert auth.get_access(session.Session()).project_name == "web"


def test_without_the_catalogue_where_it_is_not_wanted(server):
    auth = server.auth(project_name="web", project_domain_id="default", include_catalog=False)
    assert not auth.get_access(session.Session()).has_service_catalog()


@pytest.mark.parametrize(
    ("user", "password", "scope"),
    [
        ("ann", "wrong", {}),
        ("nobody", "secret", {}),
        ("ann", "secret", {"project_name": "ops", "project_domain_id": "default"}),
        ("ann", "secret", {"project_name": "absent", "project_domain_id": "default"}),
        ("ann", "secret", {"project_name": "web", "project_domain_name": "elsewhere"}),
    ],
)
def test_who_is_not_known_or_has_no_role_there_gets_no_token(server, user, password, scope):
    with pytest.raises(Unauthorized):
        server.auth(user, password, **scope).get_access(session.Session())


def test_a_refusal_looks_like_keystones_and_has_a_request_id(server):
    answer = requests.get(f"{server.url}/identity/v3/auth/tokens")
    assert answer.status_code == 401
    assert answer.json()["error"].keys() == {"code", "title", "message"}
    assert answer.json()["error"]["title"] == "Unauthorized"
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{server.url}/identity"'


def test_a_token_can_be_exchanged_for_one_for_another_project(server):
    access = server.auth(unscoped=True).get_access(session.Session())
    assert access.project_id is None
    projects = session.Session(server.auth(unscoped=True)).get(f"{server.url}/identity/v3/auth/projects").json()
    assert [project["name"] for project in projects["projects"]] == ["shop", "web"]
    auth = v3.Token(f"{server.url}/identity/v3", access.auth_token, project_name="shop", project_domain_name="Default")
    assert auth.get_access(session.Session()).project_name == "shop"


def test_a_token_shows_itself_and_ends_when_it_is_told(server):
    ours = server.session()
    headers = {"X-Subject-Token": ours.get_token()}
    tokens = f"{server.url}/identity/v3/auth/tokens"
    assert ours.get(tokens, headers=headers).json()["token"]["user"]["name"] == "ann"
    assert ours.head(tokens, headers=headers).status_code == 200
    with pytest.raises(Forbidden):
        server.session("bob").get(tokens, headers=headers)
    admin = server.session("root", project_name="ops", project_domain_id="default")
    assert admin.get(tokens, headers=headers).json()["token"]["project"]["name"] == "web"
    assert ours.delete(tokens, headers=headers).status_code == 204
    with pytest.raises(NotFound):
        admin.get(tokens, headers=headers)
    with pytest.raises(Unauthorized):
        # Without a way to log in again, so that the client cannot hide it.
        session.Session().get(tokens, headers={"X-Auth-Token": headers["X-Subject-Token"], **headers})


def test_a_client_whose_token_expired_logs_in_again_by_itself(server):
    ours = server.session()
    first = ours.get_token()
    server.ahead += 3601
    try:
        answer = requests.get(f"{server.url}/identity/v3/auth/projects", headers={"X-Auth-Token": first})
        assert answer.status_code == 401
        assert ours.get(f"{server.url}/identity/v3/auth/projects").status_code == 200
        assert ours.get_token() != first
    finally:
        server.ahead -= 3601


def test_who_is_disabled_is_out_within_moments(server):
    server.run(server.accounts.create_user("carl", "secret"))
    server.run(server.accounts.grant("carl", "web", "member"))
    token = server.auth("carl").get_access(session.Session()).auth_token
    url = f"{server.url}/identity/v3/auth/projects"
    assert requests.get(url, headers={"X-Auth-Token": token}).status_code == 200
    server.run(server.accounts.set_enabled("carl", enabled=False))
    time.sleep(0.25)
    assert requests.get(url, headers={"X-Auth-Token": token}).status_code == 401
    with pytest.raises(Unauthorized):
        server.auth("carl").get_access(session.Session())


def test_an_application_credential_logs_in_by_id_and_by_name(server):
    cloud = connection.Connection(session=server.session(), identity_api_version="3")
    user, identity = cloud.current_user_id, sdk_utils.ensure_service_version(cloud.identity, "3")
    assert user is not None
    made = identity.create_application_credential(user, "robot", roles=[{"name": "reader"}])
    assert made.secret
    by_id = v3.ApplicationCredential(
        f"{server.url}/identity/v3", application_credential_id=made.id, application_credential_secret=made.secret
    )
    by_name = v3.ApplicationCredential(
        f"{server.url}/identity/v3",
        application_credential_name="robot",
        application_credential_secret=made.secret,
        username="ann",
        user_domain_id="default",
    )
    for auth in (by_id, by_name):
        access = auth.get_access(session.Session())
        assert (access.project_name, access.role_names) == ("web", ["reader"])
    assert [one.name for one in identity.application_credentials(user)] == ["robot"]
    with pytest.raises(Forbidden):
        session.Session(by_id).post(
            f"{server.url}/identity/v3/users/{user}/application_credentials",
            json={"application_credential": {"name": "another"}},
        )
    identity.delete_application_credential(user, made.id)
    by_id.invalidate()
    with pytest.raises(Unauthorized):
        by_id.get_access(session.Session())


def test_nobody_reaches_what_is_another_users(server):
    ann, bob = server.session(), server.session("bob")
    credentials = f"{server.url}/identity/v3/users/{ann.get_user_id()}/application_credentials"
    made = ann.post(credentials, json={"application_credential": {"name": "mine"}}).json()["application_credential"]
    with pytest.raises(Forbidden):
        bob.get(credentials)
    with pytest.raises(Forbidden):
        bob.post(credentials, json={"application_credential": {"name": "x"}})
    with pytest.raises(Forbidden):
        bob.get(f"{server.url}/identity/v3/users/{ann.get_user_id()}/projects")
    own = f"{server.url}/identity/v3/users/{bob.get_user_id()}/application_credentials"
    for verb in (bob.get, bob.delete):
        with pytest.raises(NotFound):
            verb(f"{own}/{made['id']}")
    ann.delete(f"{credentials}/mine")


LOGIN = {"identity": {"methods": ["password"], "password": {"user": {"name": "ann", "password": "secret"}}}}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b'{"auth": {"identity": {"methods": ["\xff"]}}}', "JSON"),
        (b'{"auth": {"identity": {"methods": ["\\ud800"]}}}', "JSON"),
        (b'{"auth": {"identity": {"methods": ["\\udc00"]}}}', "JSON"),
        (b'{"x":' + b"[" * 100_000, "nested"),
        ([], "body"),
        ({}, "auth"),
        ({"auth": {}}, "identity"),
        ({"auth": {"identity": {"methods": []}}}, "auth.identity.methods"),
        ({"auth": {"identity": {"methods": ["password"]}}}, "auth.identity.password"),
        ({"auth": {"identity": {"methods": ["totp"]}}}, "auth.identity.methods"),
        ({"auth": {"identity": {"methods": ["password", "token"]}}}, "auth.identity.methods"),
        ({"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "ann"}}}}}, "password"),
        ({"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}}, "user"),
        (
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": 7, "password": "x"}}}}},
            "auth.identity.password.user.name",
        ),
        ({"auth": {**LOGIN, "scope": {"project": {}}}}, "auth.scope.project"),
        ({"auth": {**LOGIN, "scope": {"system": {"all": True}}}}, "auth.scope"),
        ({"auth": {**LOGIN, "scope": "everything"}}, "auth.scope"),
        (
            {"auth": {"identity": {"methods": ["application_credential"], "application_credential": {"secret": "x"}}}},
            "id",
        ),
    ],
)
def test_a_login_that_cannot_be_understood_is_refused_naming_the_field(server, body, named):
    content = body if isinstance(body, bytes) else json.dumps(body)
    answer = requests.post(f"{server.url}/identity/v3/auth/tokens", data=content)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


_texts = st.none() | st.sampled_from(["", "fay", "web", "secret", "default", "Default", "x" * 300, "\0", "\u2028"])
_things = st.recursive(
    _texts | st.integers() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "domain", "user", "password", "secret", "project"]), inner)
    ),
    max_leaves=8,
)


@given(
    methods=st.lists(st.sampled_from(["password", "token", "application_credential", "totp"]), max_size=2),
    proofs=st.dictionaries(st.sampled_from(["password", "token", "application_credential"]), _things),
    scope=_things,
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_login_whatever_makes_trouble(server, methods, proofs, scope):
    body = {"auth": {"identity": {"methods": methods, **proofs}, "scope": scope}}
    answer = requests.post(f"{server.url}/identity/v3/auth/tokens", json=body)
    assert answer.status_code in (201, 400, 401)


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "x", "roles": [{"name": "king"}]}, "roles"),
        ({"name": "x", "roles": [{"name": "admin"}]}, "roles"),
        ({"name": "x", "roles": [{}]}, "roles"),
        ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "expires_at": "9999-12-31T23:59:59-10:00"}, "expires_at"),
        ({"name": "x", "secret": "mine"}, "secret"),
        ({"name": "x", "unrestricted": True}, "unrestricted"),
        ({"name": "x", "access_rules": [{}]}, "access_rules"),
        ({"name": "x", "project_id": "other"}, "project_id"),
    ],
)
def test_an_application_credential_that_cannot_be_is_refused_naming_the_field(server, wanted, named):
    ann = server.session()
    url = f"{server.url}/identity/v3/users/{ann.get_user_id()}/application_credentials"
    with pytest.raises(BadRequest) as refusal:
        ann.post(url, json={"application_credential": wanted})
    assert named in refusal.value.message


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/identity/v2.0", 404),
        ("GET", "/identity/v3/nothing", 404),
        ("GET", "/identity/v3/users/%ff%00/projects", 403),
        ("PATCH", "/identity/v3/auth/tokens", 405),
        ("POST", "/identity", 405),
        ("GET", "/identity/v3/roles/king", 404),
        ("GET", "/identity/v3/roles", 200),
        ("DELETE", "/identity/v3/auth/tokens", 400),
    ],
)
def test_other_addresses_are_refused_in_the_same_shape(server, method, path, status):
    answer = requests.request(method, server.url + path, headers={"X-Auth-Token": server.session().get_token()})
    assert answer.status_code == status
    if status >= 400:
        assert answer.json()["error"]["code"] == status


@pytest.mark.parametrize(
    "line",
    [
        b"GET /identity HTTP/1.1\r\nHost: \xff\xfe\r\n",
        b"GET /identity/v3/users/\xff\xfe HTTP/1.1\r\nHost: x\r\nX-Auth-Token: TOKEN\r\n",
        b"GET /identity/v3/roles?name=\xff HTTP/1.1\r\nHost: x\r\nX-Auth-Token: TOKEN\r\n",
        b"GET /identity/v3/auth/tokens HTTP/1.1\r\nHost: x\r\nX-Auth-Token: TOKEN\r\nX-Subject-Token: \xff\r\n",
        b"GET /identity/v3/auth/tokens HTTP/1.1\r\nHost: x\r\nX-Auth-Token: \xff\xfe\r\n",
    ],
)
def test_bytes_that_are_no_text_are_no_trouble(server, line):
    address = server.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as raw:
        raw.sendall(line.replace(b"TOKEN", server.session().get_token().encode()) + b"Connection: close\r\n\r\n")
        status = raw.makefile("rb").readline()
    assert status.split()[1].startswith(b"4")
