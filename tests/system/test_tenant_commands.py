"""The `higgins` command of tenants as scripts use it: docker's habits, over the public API of a real all-in-one."""

import io
import json
import os
import signal
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.system.engine import BUSYBOX as IMAGE
from tests.system.registries import published, registry
from tests.system.servers import QUOTA, AllInOne, Login
from tests.system.tenant import Ran, Tenant


@pytest.fixture(scope="module")
def tenant(member: Login, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    return Tenant(tmp_path_factory.mktemp("home"), member.environment)


@pytest.fixture(scope="module")
def operator(admin: Login, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    return Tenant(tmp_path_factory.mktemp("operator"), admin.environment)


@pytest.fixture(scope="module")
def web(tenant: Tenant) -> Iterator[str]:
    """The name of a container that runs, and says so every now and then."""
    tenant.types("run", "-d", "--name", "site", IMAGE, "sh", "-c", "echo one; echo two; while :; do sleep 1; done")
    yield "site"
    tenant.types("rm", "-f", "site")


# A command's own exit status, and what it reads and writes.


def test_run_relays_output_errors_and_the_exit_code_and_leaves_nothing(tenant: Tenant) -> None:
    ran = tenant.tries("run", "--rm", "--name", "short", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (ran.status, ran.said, ran.err) == (7, "out\n", "err\n")
    assert "could not be found" in tenant.fails("inspect", "short")


def test_what_is_removed_when_it_has_ended_is_gone_when_the_command_is_over(tenant: Tenant) -> None:
    """Several at once, so that the engine needs a moment for each."""

    def runs(number: int) -> tuple[int, Ran]:
        name = f"short-{number}"
        return tenant.tries("run", "--rm", "--name", name, IMAGE, "true").status, tenant.tries("inspect", name)

    with ThreadPoolExecutor() as pool:
        for status, after in pool.map(runs, range(6)):
            assert (status, "could not be found" in after.err) == (0, True)


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (["no-such-command"], 127, "not found"),
        (["/etc"], 126, "permission denied"),
    ],
)
def test_a_command_that_cannot_begin_ends_as_a_shell_has_it(
    tenant: Tenant, words: list[str], status: int, complaint: str
) -> None:
    assert complaint in tenant.fails("run", "--rm", IMAGE, *words, status=status)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--no-such-flag", IMAGE],
        ["run", "-m", "lots", IMAGE],
        ["run", "-p", "80:80", IMAGE],
        ["run", "-it", IMAGE],
        ["run", "--cpus", "100000", IMAGE],
        ["exec", "nobody", "true"],
        ["attach", "nobody"],
    ],
    ids=" ".join,
)
def test_what_goes_wrong_before_ends_with_125(tenant: Tenant, words: list[str]) -> None:
    assert tenant.fails(*words, status=125).startswith("higgins: ")


def test_a_dry_run_says_whether_it_would_fit_and_what_would_have_to_change_and_makes_nothing(tenant: Tenant) -> None:
    before = tenant.types("ps", "-aq")
    assert tenant.types("run", "--dry-run", "-m", "64m", IMAGE).startswith("It fits.\n")
    elsewhere = tenant.tries("create", "--dry-run", "--zone", "mars", IMAGE)
    assert elsewhere.status == 1
    assert elsewhere.said.endswith(": 1 in other availability zones.\nIt would fit without --zone mars.\n")
    told = json.loads(tenant.tries("run", "--dry-run", "-o", "json", "--zone", "mars", IMAGE).said)
    assert told["change"] == {"field": "availability_zone", "from": "mars", "to": None}
    assert tenant.types("ps", "-aq") == before


def test_what_is_piped_in_comes_out_byte_for_byte(tenant: Tenant, web: str) -> None:
    content = os.urandom(1_000_000) + b"\0\xff\x11\n"
    assert tenant.tries("run", "-i", "--rm", IMAGE, "cat", said=content).out == content
    assert tenant.tries("exec", "-i", web, "cat", said=content).out == content


def test_the_end_of_what_is_piped_in_is_the_end_for_the_command_which_may_go_on(tenant: Tenant, web: str) -> None:
    said = tenant.types("exec", "-i", web, "sh", "-c", "cat > /tmp/heard; echo heard it; cat /tmp/heard", said=b"a\nb")
    assert said == "heard it\na\nb"


def test_without_i_a_command_does_not_read_what_is_piped_in(tenant: Tenant, web: str) -> None:
    assert tenant.types("exec", web, "cat", said=b"not for it") == ""


def test_exec_relays_exit_codes_and_tells_what_cannot_begin(tenant: Tenant, web: str) -> None:
    assert tenant.tries("exec", web, "sh", "-c", "exit 5").status == 5
    assert tenant.tries("exec", web, "sh", "-c", "kill -TERM $$").status == 128 + signal.SIGTERM
    # Engines before 23 say 126 of both.
    assert tenant.tries("exec", web, "no-such-command").status in (126, 127)


def test_what_is_detached_goes_on_when_whoever_began_it_has_left(tenant: Tenant, web: str) -> None:
    assert tenant.types("exec", "-d", web, "sh", "-c", "sleep 0.5; echo done > /tmp/late; exec sleep 333") == ""
    assert (
        tenant.types("exec", web, "sh", "-c", "until [ -e /tmp/late ]; do sleep 0.1; done; cat /tmp/late") == "done\n"
    )
    assert "sleep 333" in tenant.types("top", web)
    assert "'no-such-command' cannot be executed" in tenant.fails("exec", "-d", web, "no-such-command", status=125)


def test_words_for_the_command_arrive_as_they_are(tenant: Tenant, web: str) -> None:
    words = ["-n", "two  words", "it's", '"', "$HOME", "a\\b", "*", "grün", ""]
    assert tenant.types("exec", web, "printf", "%s|", *words) == "".join(f"{word}|" for word in words)


# Signals.


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 9), (signal.SIGTERM, 8)])
def test_a_signal_in_the_foreground_is_passed_on(tenant: Tenant, number: int, status: int) -> None:
    script = "trap 'exit 9' INT; trap 'exit 8' TERM; echo ready; while :; do sleep 0.1; done"
    assert tenant.interrupts("run", "--rm", IMAGE, "sh", "-c", script, after=b"ready", number=number).status == status


def test_interrupted_while_it_waits_for_an_image_it_removes_what_it_made(tenant: Tenant) -> None:
    gone = f"127.0.0.1:{_closed_port()}/nothing:1"
    script = 'exec "$@" 2>&1 >/dev/null'  # the complaint is what is waited for
    process = subprocess.Popen(
        ["sh", "-c", script, "sh", "higgins", "run", "--name", "waits", gone],
        env=tenant.environment | {"PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert "trying again" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    try:
        rest, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        where, _ = process.communicate()
        tenant.tries("rm", "-f", "waits")
        pytest.fail(f"It has not heard that it was interrupted, and is here:\n{where}")
    assert (process.returncode, "waits is removed" in rest) == (130, True)
    assert "waits" not in tenant.types("ps", "-a", "-o", "name").split()


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("words", "sign"),
    [(["logs", "-f", "site"], b"two"), (["stats", "site"], b"site"), (["events", "--since", "1h"], b"site")],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_whoever_has_watched_enough_ends_it_with_ctrl_c(
    tenant: Tenant, web: str, words: list[str], sign: bytes
) -> None:
    ran = tenant.interrupts(*words, after=sign)
    assert (ran.status, ran.err.strip()) == (130, "")


def test_a_reader_that_has_enough_ends_a_command_in_silence(tenant: Tenant, web: str) -> None:
    line = f"higgins exec {web} sh -c 'i=0; while [ $i -lt 50000 ]; do echo $i; i=$((i+1)); done' | head -n 1"
    ran = subprocess.run(
        ["sh", "-c", line], env=tenant.environment, capture_output=True, timeout=60, check=False, text=True
    )
    assert (ran.stdout, ran.stderr) == ("0\n", "")


# What containers are and do.


def test_a_container_goes_through_all_of_its_states(tenant: Tenant) -> None:
    def state() -> str:
        return str(tenant.sees("inspect", "life")[0]["status"])

    tenant.types("create", "--name", "life", IMAGE, "sleep", "600")
    assert state() == "Created"
    for verb, after in (
        (["start"], "Running"),
        (["pause"], "Paused"),
        (["unpause"], "Running"),
        (["restart", "-t", "0"], "Running"),
        (["stop", "-t", "0"], "Stopped"),
        (["start"], "Running"),
        (["kill"], "Stopped"),
    ):
        assert tenant.types(*verb, "life") == "life\n"
        assert state() == after, verb
    ran = tenant.tries("wait", "life")
    assert (ran.status, ran.said) == (137, "137\n")
    assert tenant.types("rename", "life", "after-life") == ""
    assert tenant.types("rm", "after-life") == "after-life\n"
    assert "after-life" not in tenant.types("ps", "-a", "-o", "name").split()


def test_start_with_somebody_at_it_loses_nothing_and_relays_the_exit_code(tenant: Tenant) -> None:
    uuid = tenant.types("create", "-i", "--name", "evening", IMAGE, "sh", "-c", "echo out; echo err >&2; cat; exit 7")
    # Before its first life, and before its second.
    for name in ("evening", uuid[:8]):
        ran = tenant.tries("start", "-ai", name, said=b"and in\n")
        assert (ran.status, ran.said, ran.err) == (7, "out\nand in\n", "err\n")
    assert "one container" in tenant.fails("start", "-a", "evening", "morning", status=2)
    tenant.types("rm", "-f", "evening")


def test_a_container_goes_by_its_name_its_id_and_the_beginning_of_it(tenant: Tenant) -> None:
    uuid = tenant.types("create", "--name", "many-names", "--cidfile", "id", IMAGE, "true").strip()
    assert (tenant.home / "id").read_text() == uuid
    for given in (uuid, uuid[:8], uuid[:20].upper(), "many-names"):
        assert tenant.types("inspect", given, "-o", "name") == "many-names\n"
    other = tenant.types("create", "--name", "many-names", IMAGE, "true").strip()
    complaint = tenant.fails("rm", "many-names")
    assert "many-names could be each of 2: give an id" in complaint
    assert uuid in complaint and other in complaint
    tenant.types("rm", uuid, other)


def test_what_its_state_does_not_allow_says_what_would_help(tenant: Tenant) -> None:
    tenant.types("create", "--name", "idle", IMAGE, "true")
    assert "higgins start idle" in tenant.fails("exec", "idle", "true", status=125)
    tenant.types("start", "idle")
    assert tenant.types("wait", "idle") == "0\n"
    assert "higgins logs idle" in tenant.fails("attach", "idle", status=125)
    tenant.types("rm", "idle")


def test_several_at_once_and_one_that_there_is_not(tenant: Tenant) -> None:
    for name in ("twin-a", "twin-b"):
        tenant.types("run", "-d", "--name", name, IMAGE, "sleep", "600")
    ran = tenant.tries("stop", "-t", "0", "twin-a", "twin-c", "twin-b")
    assert (ran.status, ran.said) == (1, "twin-a\ntwin-b\n")
    assert "Did you mean twin-" in ran.err
    assert tenant.fails("rm", "-f", "twin-a", "twin-b", "twin-c").count("could not be found") == 1


def test_lists_are_for_people_and_for_programs(tenant: Tenant, web: str) -> None:
    (one,) = tenant.sees("ps", "-f", f"name={web}")
    assert tenant.types("ps", "-o", "name", "-f", f"name={web}") == f"{web}\n"
    assert yaml.safe_load(tenant.types("ps", "-o", "yaml", "-f", f"name={web}"))[0]["uuid"] == one["uuid"]
    assert tenant.types("ps", "-q", "-f", f"name={web}") == f"{one['uuid'][:8]}\n"
    title, row = tenant.types("ps", "-f", f"name={web}").splitlines()
    assert title.split() == ["ID", "NAME", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "ADDRESSES"]
    # Nothing is shortened, or coloured, for a pipe.
    assert IMAGE in row and "\x1b" not in row


def test_what_run_is_told_arrives(tenant: Tenant) -> None:
    (tenant.home / "variables").write_text("# who\nGREETING=hello there\nFROM_HERE\n")
    tenant.environment["FROM_HERE"] = "inherited"
    words = ["--rm", "-e", "A=b c", "--env-file", "variables", "-w", "/tmp", "-h", "fred", "-m", "64m", "--cpus", "0.5"]
    script = "pwd; hostname; echo $A, $GREETING, $FROM_HERE"
    assert tenant.types("run", *words, IMAGE, "sh", "-c", script) == "/tmp\nfred\nb c, hello there, inherited\n"
    assert tenant.types("run", "--rm", "--entrypoint", "echo", IMAGE, "from", "the entry point").startswith("from the")


def test_logs_from_both_ends(tenant: Tenant, web: str) -> None:
    assert tenant.types("logs", web) == "one\ntwo\n"
    assert tenant.types("logs", "-n", "1", web) == "two\n"
    assert tenant.types("logs", "--since", "2099-01-01", web) == ""
    first = tenant.types("logs", "-t", web).splitlines()[0]
    assert first.startswith("20") and first.endswith(" one")
    tenant.types("run", "-d", "--name", "ends", IMAGE, "sh", "-c", "echo first; sleep 1; echo last")
    # Followed to its end, by itself.
    assert tenant.types("logs", "-f", "ends") == "first\nlast\n"
    tenant.types("rm", "-f", "ends")


def test_what_it_uses_and_what_runs_in_it(tenant: Tenant, web: str) -> None:
    (used,) = tenant.sees("stats", web)
    assert used["memory_bytes"] > 0
    assert web in tenant.types("stats", "--no-stream", web)
    assert any("sh -c" in row["CMD"] for row in tenant.sees("top", web))
    assert tenant.types("top", web, "-o", "pid,args").splitlines()[0].split() == ["PID", "COMMAND"]
    tenant.types("update", "-m", "96m", web)
    assert tenant.sees("inspect", web)[0]["memory"] == "96"
    assert "update" in tenant.types("history", web)


def test_what_happened_is_told_afterwards_too(tenant: Tenant) -> None:
    tenant.types("run", "--rm", "--name", "passing", IMAGE, "true")
    lines = tenant.types("events", "--no-stream", "-f", "container=passing", "-o", "json").splitlines()
    told = [json.loads(line) for line in lines]
    assert [one["kind"] for one in told if one["kind"] in ("create", "gone")] == ["create", "gone"]
    after = f"#{told[-2]['id']}"
    assert tenant.types("events", "--no-stream", "--since", after, "-f", "container=passing").count("\n") == 1
    # It ends by itself: at once if that is over, otherwise when it has come.
    assert tenant.types("events", "--until", "1h", "-f", "container=passing") == ""
    assert tenant.types("events", "--since", after, "--until", "-1s", "-f", "container=passing").count("\n") == 1


# Files.


def test_a_directory_goes_in_and_comes_back_as_it_was(tenant: Tenant, web: str) -> None:
    tree = tenant.home / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "grün.bin").write_bytes(os.urandom(300_000))
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o755)
    (tree / "link").symlink_to("run.sh")
    ran = tenant.tries("cp", "tree", f"{web}:/tmp")
    # No bar, no word: nobody is looking.
    assert (ran.status, ran.out, ran.err) == (0, b"", "")
    tenant.types("cp", f"{web}:/tmp/tree", "back")
    back = tenant.home / "back"
    assert (back / "deep" / "grün.bin").read_bytes() == (tree / "deep" / "grün.bin").read_bytes()
    assert (back / "run.sh").stat().st_mode & 0o777 == 0o755
    assert os.readlink(back / "link") == "run.sh"
    tenant.types("cp", "tree/run.sh", f"{web}:/tmp/renamed")
    tenant.types("cp", f"{web}:/tmp/renamed", "here.sh")
    assert (tenant.home / "here.sh").read_text() == "#!/bin/sh\n"


def test_a_dash_is_an_archive_in_a_pipe(tenant: Tenant, web: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("sent")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    tenant.types("cp", "-", f"{web}:/root", said=packed.getvalue())
    got = tenant.tries("cp", f"{web}:/root/sent", "-").out
    with tarfile.open(fileobj=io.BytesIO(got)) as tar:
        member = tar.extractfile("sent")
        assert member is not None and member.read() == b"hello"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["site:/no/such", "x"], "nothing at /no/such"),
        (["no-such-file", "site:/tmp"], "there is no no-such-file here"),
        (["bin", "site:/etc/passwd"], "a directory cannot be copied onto it"),
        (["bin", "site:/no/such/place"], "there is no directory"),
    ],
)
def test_a_copy_that_cannot_be_says_why(tenant: Tenant, web: str, words: list[str], complaint: str) -> None:
    assert complaint in tenant.fails("cp", *words)


# Images.


def test_an_operator_says_how_much_a_project_may_have_and_a_tenant_sees_it(
    operator: Tenant, stranger: Login, tmp_path: Path
) -> None:
    project, theirs = stranger.project(), Tenant(tmp_path, stranger.environment)
    usual = [{"name": name, "in_use": 0, "limit": QUOTA[name]} for name in ("containers", "memory", "disk", "cpu")]
    assert theirs.sees("quota", "show") == usual
    shown = operator.types("quota", "set", "--containers", "0", "--memory", "1g", "--disk", "none", project)
    told = [line.split() for line in shown.splitlines()[1:4]]
    assert [" ".join(line) for line in told] == ["containers 0 0", "memory 0 MiB 1024 MiB", "disk 0 GiB no limit"]
    assert theirs.types("quota", "show") == theirs.types("quota", "show", "orchard") == shown
    refused = theirs.fails("run", "-d", IMAGE, "true", status=125)
    assert "containers: 1 more were asked for, 0 of 0 are in use" in refused and "higgins quota show" in refused
    assert "quota:update" in theirs.fails("quota", "set", "--cpu", "3")
    assert "'cpu'" in operator.fails("quota", "set", "--cpu", "lots", project)
    assert "no size" in operator.fails("quota", "set", "--memory", "lots", project, status=2)
    assert "--containers" in operator.fails("quota", "set", project, status=2)
    for _ in range(2):
        operator.types("quota", "unset", project)
    assert theirs.sees("quota", "show") == usual


def test_an_operator_pulls_lists_makes_and_removes_images(operator: Tenant, tmp_path: Path) -> None:
    made = "higgins-test/committed:1"
    with registry(tmp_path) as shop, published(shop, "higgins-test/tenant:1") as image:
        ran = operator.tries("pull", image)
        # No bar: nobody is looking.
        assert (ran.status, ran.said, ran.err) == (0, f"{image}\n", "")
        assert "there already" in operator.tries("pull", image).err
        operator.types("run", "-d", "--name", "origin", image, "sleep", "600")
        operator.types("commit", "origin", made)
        assert set(operator.types("images", "-o", "name").split()) >= {image, made}
        operator.types("rm", "-f", "origin")
        assert operator.types("rmi", made, image) == f"{made}\n{image}\n"
        missing = f"{shop.address}/higgins-test/no-such:1"
        assert "was not fetched" in operator.fails("pull", missing)
        operator.types("rmi", missing)


# Logging in.


@pytest.fixture
def newcomer(tmp_path: Path) -> Tenant:
    """Somebody whom nothing logs in."""
    return Tenant(tmp_path / "newcomer", {})


def test_a_login_lasts_and_the_password_is_nowhere(
    newcomer: Tenant, all_in_one: AllInOne, member: Login, tmp_path: Path
) -> None:
    assert "higgins login" in newcomer.fails("ps")
    who, password = ["-u", "martha", "--password-stdin"], member.environment["OS_PASSWORD"]
    assert "wrong" in newcomer.fails("login", all_in_one.url, *who, said=b"open sesame\n")
    assert "garden" in newcomer.types("login", all_in_one.url, *who, said=password.encode())
    assert newcomer.sees("whoami")["user"] == "martha"
    newcomer.types("ps")
    kept = [path for path in newcomer.home.rglob("*.json") if path.is_file()]
    assert {path.name for path in kept} == {"login.json", "tokens.json"}
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert not [path for path in kept if password in path.read_text()]
    newcomer.types("logout")
    assert "nobody is logged in" in newcomer.fails("ps")


def test_a_token_that_has_ended_early_is_replaced_unseen(tenant: Tenant) -> None:
    tenant.types("ps")
    (kept,) = (tenant.home / "cache").rglob("tokens.json")
    before = json.loads(kept.read_text())
    kept.write_text(json.dumps({key: {**one, "token": "gAAA-worthless"} for key, one in before.items()}))
    ran = tenant.tries("ps")
    assert (ran.status, ran.err) == (0, "")
    assert "worthless" not in kept.read_text()


def test_clouds_yaml_and_the_environment_log_in_too(newcomer: Tenant, member: Login) -> None:
    asked = member.environment
    auth = {
        "auth_url": asked["OS_AUTH_URL"],
        "username": asked["OS_USERNAME"],
        "project_name": asked["OS_PROJECT_NAME"],
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    (newcomer.home / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"mine": {"auth": auth}}}))
    secret = {"clouds": {"mine": {"auth": {"password": asked["OS_PASSWORD"]}}}}
    (newcomer.home / "secure.yaml").write_text(yaml.safe_dump(secret))
    newcomer.environment["OS_CLOUD"] = "mine"
    assert "clouds.yaml" in newcomer.sees("whoami")["source"]
    newcomer.environment["OS_CLOUD"] = "other"
    assert "It has: mine." in newcomer.fails("whoami")
    del newcomer.environment["OS_CLOUD"]
    newcomer.environment.update({**asked, "OS_PASSWORD": "wrong"})
    assert "The credentials came from the environment (OS_*)." in newcomer.fails("whoami")


def test_a_server_that_is_not_there_is_told_with_its_address(newcomer: Tenant, member: Login) -> None:
    nowhere = f"http://127.0.0.1:{_closed_port()}"
    newcomer.environment.update({**member.environment, "OS_AUTH_URL": f"{nowhere}/identity/v3"})
    for words, status in ((["ps"], 1), (["run", IMAGE], 125), (["events"], 1)):
        assert f"nothing answers at {nowhere}" in newcomer.fails(*words, status=status)


# The shell's help.


def test_bash_completes_commands_options_and_names(tenant: Tenant, web: str) -> None:
    def completed(*words: str) -> list[str]:
        script = 'eval "$(higgins completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); '
        script += '_higgins_completion higgins; printf "%s\\n" "${COMPREPLY[@]}"'
        ran = subprocess.run(
            ["bash", "-c", script, "bash", "higgins", *words],
            env=tenant.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ran.stdout.split()

    assert completed("ren") == ["rename"]
    assert completed("logs", "--fo") == ["--follow"]
    assert completed("exec", "-it", "si") == [web]
    assert completed("ps", "-o", "y") == ["yaml"]
    assert completed("no-such-command", "x") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_names_with_what_they_are(tenant: Tenant, web: str, shell: str) -> None:
    asked = {"_HIGGINS_COMPLETE": f"{shell}_complete", "COMP_WORDS": "higgins stop si", "COMP_CWORD": "2"}
    told = subprocess.run(
        ["higgins"],
        env={**tenant.environment, **asked, **({"COMP_CWORD": "si"} if shell == "fish" else {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (web in told.stdout, "Running" in told.stdout) == (True, True)
