"""Where logins come from, what of them is kept, and what that costs."""

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from higgins import errors
from higgins.cli.main import higgins
from higgins.cli.tenant import credentials, kept, session
from higgins.client.identity import ApplicationCredential, HeldToken, Named, Password
from tests.unit.client.stub import Asked, Given, serving


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keystone(asked: Asked) -> Given:
    """One that knows martha, and gives her application credentials."""
    here = f"http://{asked.headers['Host']}"
    match asked.method, asked.target.split("?")[0]:
        case _, "/v3/":
            return Given(200, {"version": {"id": "v3.14"}})
        case "GET", "/v3/auth/projects":
            return Given(200, {"projects": [{"id": "p1", "name": "garden"}]})
        case "POST", "/v3/auth/tokens":
            return _issued(json.loads(asked.body)["auth"], here)
        case "POST", "/v3/users/u1/application_credentials":
            name = json.loads(asked.body)["application_credential"]["name"]
            return Given(201, {"application_credential": {"id": "ac1", "name": name, "secret": "hidden"}})
        case "DELETE", _:
            return Given(204, b"")
        case _:
            return Given(200, {"containers": [], "next": None})


def _issued(auth: dict, here: str) -> Given:
    identity = auth["identity"]
    if identity.get("password", {}).get("user", {}).get("password", "sesame") != "sesame":
        return Given(401, {"error": {"message": "The request you have made requires authentication."}})
    token = {
        "user": {"id": "u1", "name": "martha"},
        "expires_at": "2099-01-01T00:00:00Z",
        "roles": [{"name": "member"}],
    }
    if "scope" in auth or "application_credential" in identity:
        endpoint = {"interface": "public", "region_id": "r", "url": f"{here}/v1"}
        token |= {
            "project": {"id": "p1", "name": "garden"},
            "catalog": [{"type": "container", "endpoints": [endpoint]}],
        }
    return Given(201, {"token": token}, {"X-Subject-Token": "t"})


def run(*words: str, stdin: str = ""):
    return CliRunner().invoke(higgins, words, input=stdin)


def test_nobody_logged_in_is_told_what_to_do():
    with pytest.raises(errors.Unauthenticated) as refusal:
        credentials.found()
    told = " ".join(refusal.value.__notes__)
    assert "higgins login" in told and "OS_AUTH_URL" in told and "quickstart" in told


def test_the_environment_of_openstacks_clients_is_understood(monkeypatch):
    for name, value in {
        "OS_AUTH_URL": "http://x/v3",
        "OS_USERNAME": "martha",
        "OS_PASSWORD": "sesame",
        "OS_PROJECT_NAME": "garden",
        "OS_USER_DOMAIN_NAME": "People",
        "OS_PROJECT_DOMAIN_ID": "d1",
        "OS_REGION_NAME": "North",
        "OS_CACERT": "/ca.pem",
        "OS_INSECURE": "false",
        "OS_ENDPOINT_TYPE": "internalURL",
    }.items():
        monkeypatch.setenv(name, value)
    found = credentials.found()
    assert found.proof == Password(
        user=Named(name="martha", domain_name="People"),
        password="sesame",
        project=Named(name="garden", domain_id="d1"),
    )
    assert (found.region, found.interface) == ("North", "internalURL")
    assert (found.trust.authorities, found.trust.verify) == ("/ca.pem", True)


@pytest.mark.parametrize(
    ("variables", "proof"),
    [
        ({"OS_TOKEN": "t"}, HeldToken(token="t")),
        (
            {"OS_APPLICATION_CREDENTIAL_ID": "i", "OS_APPLICATION_CREDENTIAL_SECRET": "s"},
            ApplicationCredential(id="i", secret="s"),
        ),
    ],
)
def test_tokens_and_application_credentials_are_taken_from_the_environment(monkeypatch, variables, proof):
    for name, value in {"OS_AUTH_URL": "http://x/v3", **variables}.items():
        monkeypatch.setenv(name, value)
    assert credentials.found().proof == proof


@pytest.mark.parametrize("missing", ["OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"])
def test_what_the_environment_lacks_is_named(monkeypatch, missing):
    for name in {"OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"} - {missing}:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("OS_AUTH_URL", "http://x/v3")
    with pytest.raises(errors.Unauthenticated, match=missing):
        credentials.found()


def test_a_cloud_of_clouds_yaml_comes_first_and_its_secrets_may_stand_beside(home, monkeypatch):
    monkeypatch.setenv("OS_AUTH_URL", "http://elsewhere/v3")
    monkeypatch.setenv("OS_CLOUD", "lab")
    (home / "clouds.yaml").write_text(
        "clouds:\n  lab:\n    region_name: North\n    verify: false\n    auth:\n      auth_url: http://lab/v3\n"
        "      username: martha\n      project_name: garden\n      user_domain_name: Default\n"
    )
    (home / "secure.yaml").write_text("clouds:\n  lab:\n    auth:\n      password: sesame\n")
    found = credentials.found()
    assert found.auth_url == "http://lab/v3"
    assert isinstance(found.proof, Password) and found.proof.password == "sesame"
    assert (found.region, found.trust.verify) == ("North", False)


@pytest.mark.parametrize("content", [None, "clouds:\n  other: {}\n", "- a\n", "clouds: [", "clouds: 3"])
def test_a_cloud_that_is_not_there_is_told_with_the_file(home, monkeypatch, content):
    monkeypatch.setenv("OS_CLOUD", "lab")
    if content is not None:
        (home / "clouds.yaml").write_text(content)
    with pytest.raises((errors.NotFound, errors.Invalid), match=r"clouds\.yaml"):
        credentials.found()


def test_a_login_is_saved_without_the_password_for_its_owner_only(home):
    with serving(keystone) as server:
        done = run("login", server.url, "-u", "martha", "--password-stdin", stdin="sesame\n")
        assert done.exit_code == 0, done.output
        assert "Logged in as martha in garden" in done.output
        assert run("ps", "-q").exit_code == 0
    saved = home / "config" / "higgins" / "login.json"
    assert "sesame" not in saved.read_text()
    assert "hidden" in saved.read_text()
    for file in (saved, home / "cache" / "higgins" / "tokens.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_second_command_costs_one_request():
    with serving(keystone) as server:
        run("login", server.url, "-u", "martha", "--password-stdin", stdin="sesame\n")
        run("ps")
        before = len(server.asked)
        assert run("ps").exit_code == 0
        assert [asked.target.split("?")[0] for asked in server.asked[before:]] == ["/v1/containers"]


def test_a_server_without_application_credentials_gives_a_login_until_its_token_ends(home):
    def older(asked: Asked) -> Given:
        return Given(404, {}) if "application_credentials" in asked.target else keystone(asked)

    with serving(older) as server:
        done = run("login", server.url, "-u", "martha", "--password-stdin", stdin="sesame\n")
        assert "Good until" in done.output
        assert json.loads((home / "config/higgins/login.json").read_text())["auth"]["token"] == "t"


def test_a_wrong_password_saves_nothing(home):
    with serving(keystone) as server:
        done = run("login", server.url, "-u", "martha", "--password-stdin", stdin="open\n")
    assert isinstance(done.exception, errors.Unauthenticated)
    assert not (home / "config").exists()


def test_after_logging_out_nobody_is_logged_in_here_or_there():
    with serving(keystone) as server:
        run("login", server.url, "-u", "martha", "--password-stdin", stdin="sesame\n")
        assert "Logged out." in run("logout").output
        gone = [asked.target for asked in server.asked if asked.method == "DELETE"]
    assert "/v3/users/u1/application_credentials/ac1" in gone
    assert "/v3/auth/tokens" in gone[-1]
    assert kept.login() is None
    assert isinstance(run("ps").exception, errors.Unauthenticated)


def test_logging_out_works_without_the_server():
    with serving(keystone) as server:
        run("login", server.url, "-u", "martha", "--password-stdin", stdin="sesame\n")
    assert run("logout").exit_code == 0
    assert kept.login() is None


def test_a_saved_login_that_is_damaged_is_told_by_its_file(home):
    path = home / "config" / "higgins" / "login.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(errors.Invalid, match=r"login\.json"):
        credentials.found()


@pytest.mark.parametrize("content", ["{", "[]", '{"k": 1}', '{"k": {"expires_at": "soon"}}'])
def test_remembered_tokens_that_are_damaged_are_forgotten(home, content):
    path = home / "cache" / "higgins" / "tokens.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert kept.token("k") is None
    kept.remember("k", {"expires_at": 4e9})
    assert kept.token("k") == {"expires_at": 4e9}


def test_a_token_that_is_about_to_end_is_not_used():
    kept.remember("k", {"expires_at": 1.0})
    assert kept.token("k") is None


def test_where_nothing_can_be_remembered_commands_work_all_the_same(home, monkeypatch):
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "file"))
    with serving(keystone) as server:
        monkeypatch.setenv("OS_AUTH_URL", f"{server.url}/v3")
        for name in ("OS_USERNAME", "OS_PROJECT_NAME"):
            monkeypatch.setenv(name, "martha")
        monkeypatch.setenv("OS_PASSWORD", "sesame")
        assert session.cloud().session.user == "martha"


def test_a_password_is_not_part_of_what_is_remembered(home, monkeypatch):
    with serving(keystone) as server:
        monkeypatch.setenv("OS_AUTH_URL", f"{server.url}/v3")
        monkeypatch.setenv("OS_USERNAME", "martha")
        monkeypatch.setenv("OS_PROJECT_NAME", "garden")
        monkeypatch.setenv("OS_PASSWORD", "sesame")
        session.cloud()
    assert "sesame" not in Path(home / "cache" / "higgins" / "tokens.json").read_text()
