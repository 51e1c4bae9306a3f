"""`higgins user`, `project` and `role`: what they say, and that what they say is so."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from higgins import errors
from higgins.cli.main import higgins
from higgins.model.capsule import Capsule, CapsuleSpec, Container, Desired, Kind
from higgins.model.identity import ById, ByName
from higgins.model.ids import CapsuleId, ContainerId, ProjectId, UserId
from higgins.service.identity import Issued, LocalIdentity
from higgins.store import capsules, schema
from higgins.store.database import Database


class Shell:
    """The command line of an operator, and the login of the service beside it."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "higgins.conf"
        self.config.write_text(f"[DEFAULT]\nstate_dir = {directory}\n")
        self.database = Database(f"sqlite:///{directory}/higgins.sqlite")
        self.database.open()
        schema.upgrade(self.database)

    def run(self, *words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(higgins, ["--config-file", str(self.config), *words], input=stdin)

    def json(self, *words: str, stdin: str = ""):
        done = self.run(*words, "-o", "json", stdin=stdin)
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    def log_in(self, name: str, password: str) -> Issued:
        return asyncio.run(LocalIdentity(self.database).log_in(ByName(name), password))


@pytest.fixture
def shell(tmp_path: Path):
    shell = Shell(tmp_path)
    yield shell
    shell.database.close()


def test_a_user_made_in_one_command_can_log_in(shell):
    shell.json("project", "create", "web")
    made = shell.json("user", "create", "ann", "--project", "web", "--role", "manager")
    issued = shell.log_in("ann", made["password"])
    assert issued.token.project is not None
    assert issued.token.roles == {"manager", "member", "reader"}


def test_a_password_can_come_from_standard_input_and_is_not_shown(shell):
    shell.json("user", "create", "ann", "--password", "first")
    assert "password" not in shell.json("user", "set-password", "ann", "--password-stdin", stdin="second word\n")
    shell.log_in("ann", "second word")
    with pytest.raises(errors.Unauthenticated):
        shell.log_in("ann", "first")


@pytest.mark.parametrize(
    "words", [["--password", ""], ["--password-stdin"], ["--password", "x", "--password-stdin"], ["--role", "king"]]
)
def test_what_is_asked_wrongly_is_told_with_status_2(shell, words):
    assert shell.run("user", "create", "ann", *words).exit_code == 2
    assert shell.json("user", "list") == []


def test_a_user_for_a_project_that_does_not_exist_is_not_made(shell):
    assert isinstance(shell.run("user", "create", "ann", "--project", "nowhere").exception, errors.NotFound)
    assert shell.json("user", "list") == []


def test_who_is_disabled_stays_out_until_enabled(shell):
    shell.json("user", "create", "ann", "--password", "x")
    shell.run("user", "disable", "ANN")
    assert shell.json("user", "show", "ann")["enabled"] is False
    with pytest.raises(errors.Unauthenticated):
        shell.log_in("ann", "x")
    shell.run("user", "enable", "ann")
    shell.log_in("ann", "x")


def test_roles_are_granted_shown_and_taken_back(shell):
    shell.json("project", "create", "web")
    shell.json("user", "create", "ann", "--project", "web")
    shell.json("user", "create", "bob")
    for _ in range(2):
        assert shell.run("role", "grant", "admin", "--user", "bob", "--project", "web").exit_code == 0
    assert shell.json("role", "list") == [
        {"user": "ann", "project": "web", "role": "member"},
        {"user": "bob", "project": "web", "role": "admin"},
    ]
    shell.run("role", "revoke", "admin", "--user", "bob", "--project", "web")
    assert shell.json("role", "list", "--user", "bob") == []
    again = shell.run("role", "revoke", "admin", "--user", "bob", "--project", "web").exception
    assert isinstance(again, errors.NotFound)


def test_an_application_credential_made_for_a_user_logs_in_until_it_is_deleted(shell):
    shell.json("project", "create", "web")
    shell.json("user", "create", "ann", "--project", "web")
    made = shell.json("user", "credential", "create", "ann", "robot", "--project", "web", "--role", "reader")
    identity = LocalIdentity(shell.database)
    issued = asyncio.run(identity.log_in_with_credential(ById(made["id"]), None, made["secret"]))
    assert issued.token.roles == {"reader"}
    assert [one["name"] for one in shell.json("user", "credential", "list", "ann")] == ["robot"]
    shell.run("user", "credential", "delete", "ann", "robot")
    with pytest.raises(errors.Unauthenticated):
        asyncio.run(LocalIdentity(shell.database).caller(issued.secret))


def test_a_project_with_containers_is_not_deleted_and_the_answer_says_what_to_do(shell):
    project = shell.json("project", "create", "web")["id"]
    container = Container(id=ContainerId("c"), name="web", image="busybox")
    capsule = Capsule(
        id=CapsuleId("c"),
        project_id=ProjectId(project),
        user_id=UserId("ann"),
        name="web",
        kind=Kind.CONTAINER,
        created_at=0.0,
        spec=CapsuleSpec(containers=(container,), desired=Desired.RUNNING),
    )
    shell.database.write_now(lambda db: capsules.insert(db, capsule, 0.0))
    refusal = shell.run("project", "delete", "web").exception
    assert isinstance(refusal, errors.Conflict)
    assert "still has 1 container: delete it first" in refusal.message
    shell.database.write_now(lambda db: capsules.delete(db, capsule))
    assert shell.run("project", "delete", "web").exit_code == 0
    assert shell.json("project", "list") == []


def test_a_table_is_for_people(shell):
    shell.json("user", "create", "ann")
    titles, ann = shell.run("user", "list").output.splitlines()
    assert titles.split() == ["ID", "NAME", "ENABLED", "CREATED"]
    assert ann.split()[1:3] == ["ann", "yes"]
