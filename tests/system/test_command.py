"""What the `higgins` command promises about trouble: one line that says what to do, and nothing half started."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.servers import ROOT, AllInOne, environment

NOWHERE = "unix:///nowhere/docker.sock"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[AllInOne]:
    """An all-in-one that has not been started, on a host without an engine."""
    server = AllInOne(tmp_path, NOWHERE)
    yield server
    if server.process is not None and server.process.poll() is None:
        server.kill()


def refused(server: AllInOne, *arguments: str) -> tuple[int, str]:
    """Status and complaint of a command that was refused at once."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "higgins.cli.main",
            "--config-file",
            str(server.config),
            *(arguments or ("all-in-one",)),
        ],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stderr.count("\n") == 1, ran.stderr
    return ran.returncode, ran.stderr.strip()


def test_a_signal_ends_it_in_good_order(own):
    own.start()
    assert own.stop() == 0
    assert not own.answers()


def test_killed_it_starts_again_over_the_same_state(own):
    own.start()
    own.command("project", "create", "garden")
    own.kill()
    own.start()
    assert "garden" in own.command("project", "list")


def test_it_starts_without_an_engine_and_tells_so(own):
    own.start()
    status, said = 0, ""
    while "docker" not in said.lower():
        ran = subprocess.run(
            [sys.executable, "-m", "higgins.cli.main", "--config-file", str(own.config), "status"],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        status, said = ran.returncode, ran.stdout
    assert status == 1
    assert "/nowhere/docker.sock" in said


def test_an_address_in_use_is_told_with_what_to_do(own):
    with socket.create_server(("127.0.0.1", own.port)):
        status, said = refused(own)
    assert status == 1
    assert said.startswith("higgins: ")
    assert f"127.0.0.1:{own.port} is in use" in said


def test_a_second_one_over_the_same_state_is_refused(own):
    own.start()
    status, said = refused(own)
    assert status == 1
    assert "stop it, or set state_dir to another" in said


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[api]\nprot = 1\n", "[api] has no option prot; did you mean port?"),
        ("[deadlines]\ncreate = soon\n", "[deadlines] create = soon: must be a number"),
        ("[dedlines]\ncreate = 1\n", "there is no group [dedlines]; did you mean deadlines?"),
    ],
)
def test_a_wrong_configuration_is_refused_with_status_2(own, line, reason):
    own.config.write_text(line)
    assert refused(own) == (2, f"higgins: {own.config}: {reason}")


def test_a_database_that_is_a_directory_is_told_by_its_path(tmp_path):
    (tmp_path / "here.sqlite").mkdir()
    server = AllInOne(tmp_path, NOWHERE, {"database": {"connection": f"sqlite:///{tmp_path}/here.sqlite"}})
    status, said = refused(server)
    assert status == 1
    assert f"{tmp_path}/here.sqlite" in said


def test_a_database_in_a_directory_that_is_not_there_is_told_by_its_path(tmp_path):
    server = AllInOne(tmp_path, NOWHERE, {"database": {"connection": f"sqlite:///{tmp_path}/no/where.sqlite"}})
    status, said = refused(server)
    assert status == 1
    assert f"{tmp_path}/no/where.sqlite" in said


def test_a_state_directory_that_cannot_be_made_is_told_by_its_path(tmp_path):
    (tmp_path / "file").write_text("")
    server = AllInOne(tmp_path, NOWHERE, {"DEFAULT": {"state_dir": tmp_path / "file" / "state"}})
    status, said = refused(server)
    assert status == 1
    assert f"{tmp_path}/file/state" in said


def test_a_file_that_is_no_database_is_told_by_its_path(tmp_path):
    (tmp_path / "text.sqlite").write_text("This is a letter, and no database at all. " * 50)
    server = AllInOne(tmp_path, NOWHERE, {"database": {"connection": f"sqlite:///{tmp_path}/text.sqlite"}})
    status, said = refused(server)
    assert status == 1
    assert f"{tmp_path}/text.sqlite" in said


def test_an_operators_command_before_there_is_a_database_says_what_makes_one(own):
    status, said = refused(own, "user", "list")
    assert status == 1
    assert "higgins db upgrade" in said


def test_the_database_is_brought_up_to_date_once(own):
    assert "went from version none to" in own.command("db", "upgrade")
    assert "already" in own.command("db", "upgrade")
    assert own.command("user", "list").startswith("ID ")


def test_an_agent_that_is_no_host_yet_is_told_how_to_become_one(own):
    status, said = refused(own, "agent")
    assert status == 1
    assert "higgins host token" in said


def test_what_is_no_join_token_is_refused(own):
    status, said = refused(own, "agent", "--join", "sesame")
    assert status == 1
    assert "not a join token" in said
