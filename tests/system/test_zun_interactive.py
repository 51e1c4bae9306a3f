"""Zun's own clients at a terminal, unchanged, against a real all-in-one on a real engine; and what else of theirs hosts answer."""

import asyncio
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from zunclient import client
from zunclient import exceptions as refused

from tests.system.clients import BIN, Person, library, settled, until
from tests.system.engine import BUSYBOX as IMAGE
from tests.system.engine import forget, here
from tests.system.keyboard import Keyboard
from tests.system.servers import Login


@pytest.fixture(scope="module")
def person(member: Login) -> Person:
    return Person(member)


@pytest.fixture(scope="module")
def zun(member: Login) -> client.Client:
    return library(member)


@pytest.fixture
def shell(zun: client.Client) -> Iterator[str]:
    """The id of a container whose first process is a shell at a terminal."""
    made = zun.containers.run(image=IMAGE, command=["sh"], interactive=True, tty=True)
    until(lambda: settled(zun.containers.get(made.uuid), "Running"), "a shell")
    yield made.uuid
    zun.containers.delete(made.uuid, stop=True)


@pytest.fixture
def image_name(shell: str) -> Iterator[str]:
    """For an image that is made here, and removed afterwards."""
    name = f"higgins-test/made-of-{shell}:first"
    yield name
    asyncio.run(forget(name))


def sit_down(login: Login, *command: str, columns: int = 80, rows: int = 24) -> Keyboard:
    environment = {**os.environ, **login.environment, "PYTHONWARNINGS": "ignore", "LANG": "C.UTF-8"}
    return Keyboard([str(BIN / command[0]), *command[1:]], environment, columns=columns, rows=rows)


def at_work(keyboard: Keyboard) -> None:
    """A session at a shell of the container, as a person would have it; ends with the shell."""
    keyboard.reads("press Enter to continue")
    keyboard.type("\r")
    keyboard.reads("[#$] ")
    keyboard.type("stty size\r")
    keyboard.reads(r"40 132\r\n")
    keyboard.type("echo gr\u00fc\u00df dich, $((6*7)) \u20ac \U0001f600\r")
    keyboard.reads("gr\u00fc\u00df dich, 42 \u20ac \U0001f600\r\n")
    keyboard.resize(100, 30)
    until(lambda: sized(keyboard, "30 100"), "the new size")
    # Every key passes, those of Docker's to detach with, too: here they are two of a shell's own.
    keyboard.type("\x10\x11")
    keyboard.type("\x03")
    keyboard.type("echo still $((1+1)) here\r")
    keyboard.reads(r"still 2 here\r\n")
    keyboard.type("exit\r")
    assert keyboard.ends() == 0


def sized(keyboard: Keyboard, size: str) -> bool:
    keyboard.type("stty size\r")
    return size in keyboard.reads(r"\n\d+ \d+\r\n")


def test_zun_attach_is_a_terminal_of_the_container(shell: str, member: Login, zun: client.Client) -> None:
    with sit_down(member, "zun", "attach", shell, columns=132, rows=40) as keyboard:
        at_work(keyboard)
    until(lambda: settled(zun.containers.get(shell), "Stopped"), "the end of its shell")


def test_zun_exec_interactive_is_a_terminal_of_its_own(shell: str, member: Login, zun: client.Client) -> None:
    with sit_down(member, "zun", "exec", "--interactive", shell, "sh", columns=132, rows=40) as keyboard:
        at_work(keyboard)
    assert zun.containers.get(shell).status == "Running"


def test_openstack_appcontainer_attach_is_a_terminal_of_the_container(shell: str, member: Login) -> None:
    with sit_down(member, "openstack", "appcontainer", "attach", shell, columns=132, rows=40) as keyboard:
        at_work(keyboard)


def test_openstack_appcontainer_exec_interactive_is_a_terminal_of_its_own(shell: str, member: Login) -> None:
    command = ("openstack", "appcontainer", "exec", "--interactive", shell, "sh")
    with sit_down(member, *command, columns=132, rows=40) as keyboard:
        at_work(keyboard)


def test_zun_run_interactive_leads_straight_into_the_container(member: Login, zun: client.Client) -> None:
    with sit_down(member, "zun", "run", "-i", "--name", "straight", IMAGE, "sh", columns=132, rows=40) as keyboard:
        keyboard.reads("straight")
        at_work(keyboard)
    until(lambda: settled(zun.containers.get("straight"), "Stopped"), "the end of its shell")
    zun.containers.delete("straight")


def test_openstack_appcontainer_run_interactive_leads_straight_into_the_container(
    member: Login, zun: client.Client
) -> None:
    command = ("openstack", "appcontainer", "run", "--interactive", "--name", "led", IMAGE, "sh")
    with sit_down(member, *command, columns=132, rows=40) as keyboard:
        at_work(keyboard)
    until(lambda: settled(zun.containers.get("led"), "Stopped"), "the end of its shell")
    zun.containers.delete("led")


def test_the_end_of_the_container_ends_what_is_attached_to_it(shell: str, member: Login, zun: client.Client) -> None:
    with (
        sit_down(member, "zun", "attach", shell) as attached,
        sit_down(member, "zun", "exec", "-i", shell, "sh") as entered,
    ):
        for keyboard in (attached, entered):
            keyboard.reads("press Enter to continue")
            keyboard.type("\r")
            keyboard.reads("[#$] ")
        zun.containers.kill(shell, "SIGKILL")
        assert (attached.ends(), entered.ends()) == (0, 0)
    until(lambda: settled(zun.containers.get(shell), "Stopped"), "its end")


def test_output_of_every_kind_reaches_the_client_whole(shell: str, member: Login) -> None:
    """Zun's client decodes every frame by itself, and would die of a character in two halves."""
    with sit_down(member, "zun", "exec", "-i", shell, "sh") as keyboard:
        keyboard.reads("press Enter to continue")
        keyboard.type("\r")
        keyboard.reads("[#$] ")
        keyboard.type(
            "i=0; while [ $i -lt 20000 ]; do echo \u00e4\u20ac\U0001f600\u00f6; i=$((i+1)); done; echo do''ne\r"
        )
        keyboard.reads("done\r\n")
        keyboard.type("exit\r")
        assert keyboard.ends() == 0
    assert keyboard.screen.count("\u00e4\u20ac\U0001f600\u00f6\r\n".encode()) >= 20000


@pytest.mark.parametrize("how", [("zun",), ("openstack", "appcontainer")])
def test_a_command_that_does_not_exist_ends_the_session_and_says_so(
    how: Sequence[str], shell: str, member: Login
) -> None:
    with sit_down(member, *how, "exec", "--interactive", shell, "no-such-command") as keyboard:
        keyboard.reads("no-such-command.*not found")
        assert keyboard.ends() == 0


def test_what_is_over_before_the_client_asks_for_a_size_is_shown(shell: str, member: Login) -> None:
    with sit_down(member, "zun", "exec", "-i", shell, "echo", "soon over") as keyboard:
        keyboard.reads("soon over\r\n")
        assert keyboard.ends() == 0


def test_attach_is_refused_where_nobody_listens(person: Person, zun: client.Client) -> None:
    made = zun.containers.run(image=IMAGE, command=["sleep", "600"])
    until(lambda: settled(zun.containers.get(made.uuid), "Running"), "a sleeper")
    refusal = person.tries("zun", "attach", made.uuid)
    assert "check the interactive set properly" in refusal.stdout + refusal.stderr
    zun.containers.delete(made.uuid, stop=True)


# What else hosts answer


def test_zun_tells_what_a_container_uses(shell: str, person: Person) -> None:
    table = person.zun("stats", shell)
    for column in ("CONTAINER", "CPU %", "MEM USAGE(MiB)", "MEM LIMIT(MiB)", "MEM %", "BLOCK I/O(B)", "NET I/O(B)"):
        assert column in table
    assert "CPU %" in person.openstack("stats", shell)


def test_the_share_of_cpu_is_that_of_now_and_not_since_the_boot(zun: client.Client) -> None:
    made = zun.containers.run(image=IMAGE, command=["sh", "-c", "while :; do :; done"])
    until(lambda: settled(zun.containers.get(made.uuid), "Running"), "a busy one")
    until(lambda: zun.containers.stats(made.uuid)["CPU %"] > 10, "a share of the CPU")
    zun.containers.pause(made.uuid)
    zun.containers.delete(made.uuid, stop=True)


def test_the_library_reads_what_runs_in_a_container(shell: str, zun: client.Client) -> None:
    """Zun's commands cannot print the answer, in Python 3 not even their own server's."""
    for arguments in (None, "-ef", "aux"):
        found = zun.containers.top(shell, arguments)
        assert len(found["Titles"]) == len(found["Processes"][0])
        assert any("sh" in word for word in found["Processes"][0])
    with pytest.raises(refused.BadRequest):
        zun.containers.top(shell, "--no-such-flag")


def test_zun_copies_files_both_ways(shell: str, person: Person, tmp_path: Path) -> None:
    source = tmp_path / "gr\u00fc\u00dfe.bin"
    source.write_bytes(os.urandom(1_500_000))
    person.zun("cp", str(source), f"{shell}:/tmp")
    (tmp_path / "back").mkdir()
    person.zun("cp", f"{shell}:/tmp/{source.name}", str(tmp_path / "back"))
    assert (tmp_path / "back" / source.name).read_bytes() == source.read_bytes()
    (tmp_path / "again").mkdir()
    person.openstack("cp", f"{shell}:/tmp", str(tmp_path / "again"))
    assert (tmp_path / "again" / "tmp" / source.name).read_bytes() == source.read_bytes()
    person.openstack("cp", str(source), f"{shell}:/root")


def test_a_copy_from_nowhere_is_not_found(shell: str, zun: client.Client) -> None:
    with pytest.raises(refused.NotFound):
        zun.containers.get_archive(shell, "/no/such/place")
    with pytest.raises(refused.NotFound):
        zun.containers.put_archive(shell, "/no/such/place", _archive(tarfile.TarInfo("x")))
    with pytest.raises(refused.BadRequest):
        zun.containers.put_archive(shell, "/tmp", b"this is no archive" * 100)


def test_zun_reads_logs_with_all_of_its_flags(person: Person, zun: client.Client) -> None:
    # An engine counts the last lines before it looks whose they are: these are in no doubt.
    command = ["sh", "-c", "echo three >&2; sleep 0.5; echo one; echo two; trap exit TERM; sleep 600 & wait"]
    made = zun.containers.run(name="talker", image=IMAGE, command=command)
    until(lambda: settled(zun.containers.get(made.uuid), "Running"), "a talker")
    until(lambda: person.zun("logs", "talker").count("\n") >= 3, "its words")
    assert sorted(person.zun("logs", "talker").split()) == ["one", "three", "two"]
    assert person.zun("logs", "--stdout", "talker").split() == ["one", "two"]
    assert person.zun("logs", "--stderr", "talker").split() == ["three"]
    assert person.zun("logs", "--stdout", "--tail", "1", "talker").split() == ["two"]
    assert person.zun("logs", "-t", "--stdout", "--tail", "1", "talker").split()[0].startswith("20")
    assert person.zun("logs", "--since", "4102444800", "talker").strip() == ""
    assert person.openstack("logs", "--stdout", "--tail", "1", "talker").split() == ["two"]
    person.zun("delete", "--stop", "talker")


def test_zun_makes_an_image_of_a_container_that_another_is_made_from(
    shell: str, person: Person, zun: client.Client, image_name: str
) -> None:
    zun.containers.execute(shell, command='"sh" "-c" "echo mine > /root/mark"', interactive=False)
    said = person.zun("commit", shell, image_name)
    assert "has been accepted" in said
    assert zun.containers.get(shell).status == "Running"
    actions = zun.actions.list(shell)
    assert (actions[0].action, actions[0].message) == ("commit", None)
    made = zun.containers.run(image=image_name, command=["cat", "/root/mark"])
    until(lambda: settled(zun.containers.get(made.uuid), "Stopped"), "its word")
    assert zun.containers.logs(made.uuid, stdout=True, stderr=True, timestamps=False, tail="all") == "mine\n"
    zun.containers.delete(made.uuid)


def test_openstack_appcontainer_makes_an_image_of_a_container(shell: str, person: Person, image_name: str) -> None:
    assert "accepted" in person.openstack("commit", shell, image_name)
    assert asyncio.run(here(image_name)) is not None


def test_zun_sends_signals_and_the_container_goes_on_where_it_heeds_them(person: Person, zun: client.Client) -> None:
    command = ["sh", "-c", "trap 'echo heard' HUP; echo ready; while :; do sleep 0.1; done"]
    made = zun.containers.run(name="heeds", image=IMAGE, command=command)
    until(lambda: settled(zun.containers.get(made.uuid), "Running"), "one that heeds")
    until(lambda: "ready" in person.zun("logs", "heeds"), "its trap")
    person.zun("kill", "--signal", "HUP", "heeds")
    until(lambda: "heard" in person.zun("logs", "heeds"), "the signal")
    assert zun.containers.get("heeds").status == "Running"
    person.zun("kill", "heeds")
    until(lambda: settled(zun.containers.get("heeds"), "Stopped"), "its end")
    person.zun("delete", "heeds")


def _archive(*entries: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for entry in entries:
            tar.addfile(entry)
    return packed.getvalue()
