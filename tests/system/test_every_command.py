"""Every command that Zun's clients have is used by a test, or is said here not to be: none is silently missing."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import zunclient.shell
from zunclient import client

from tests.system import clients
from tests.system.clients import LASTS, Person, settled, until
from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import Login

FILES = (
    "test_zun_clients",
    "test_zun_capsules",
    "test_zun_interactive",
    "test_zun_mounts",
    "test_zun_networks",
    "test_zun_operators",
    "test_registries",
    "test_images",
)
"""Where the commands are used."""
NOT_OFFERED: Mapping[str, Sequence[str]] = {
    "addresses of another service": ("add-floating-ip", "remove-floating-ip"),
}
"""What there is not, and the commands that would need it."""
CANNOT_PRINT = frozenset({"top"})
"""What both clients answer with a TypeError of their own, since Python 3, whatever the service says."""
THEIR_OWN = frozenset({"help", "bash-completion", "bash_completion"})
"""What asks no service."""


def commands(program: str) -> set[str]:
    """What the client says it can do, in one spelling for both."""
    if program == "openstack":
        found = entry_points(group="openstack.container.v1")
        return {one.name.removeprefix("appcontainer_").replace("_", "-") for one in found}
    shell = zunclient.shell.OpenStackZunShell()
    shell.get_subcommand_parser(None)
    return set(shell.subcommands) - THEIR_OWN


def lines(program: str) -> Iterator[list[str]]:
    """The words of every command line of that program in the tests, as far as they are written out."""
    for name in FILES:
        for node in ast.walk(ast.parse((Path(__file__).parent / f"{name}.py").read_text())):
            if isinstance(node, ast.Call):
                words = [word for argument in node.args for word in _words(argument)]
                if isinstance(node.func, ast.Attribute) and node.func.attr == program:
                    yield words
                elif program in words:
                    yield words[words.index(program) + 1 :]
            elif isinstance(node, ast.Tuple):
                words = list(_words(node))
                if words[:1] == [program]:
                    yield words[1:]


def _words(argument: ast.expr) -> Iterator[str]:
    match argument:
        case ast.Constant(value=str(word)):
            yield word
        case ast.Starred(value=within):
            yield from _words(within)
        case ast.Tuple(elts=several):
            for one in several:
                yield from _words(one)


def used(program: str) -> set[str]:
    """The commands that tests use."""
    known = commands(program)
    found = set()
    for words in lines(program):
        plain = [word for word in words if word != "appcontainer"]
        # Options of the program itself may stand before its command.
        begun = ["-".join(plain[begin : begin + length]) for begin in (0, 2) for length in (3, 2, 1)]
        found |= set([one for one in begun if one in known][:1])
    return found


@pytest.mark.parametrize("program", ["zun", "openstack"])
def test_every_command_is_used_by_a_test_or_is_said_not_to_be(program: str) -> None:
    known, tested = commands(program), used(program)
    not_offered = {command for several in NOT_OFFERED.values() for command in several}
    assert len(known) > 40
    assert known - tested - not_offered - CANNOT_PRINT == set()
    # What is used is offered, and what is said not to be exists.
    assert tested & (not_offered | CANNOT_PRINT) == set()
    assert not_offered | CANNOT_PRINT <= commands("zun") | commands("openstack")


@pytest.fixture(scope="module")
def zun(member: Login) -> client.Client:
    return clients.library(member)


@pytest.fixture
def container(zun: client.Client) -> Iterator[str]:
    made = zun.containers.run(image=IMAGE, command=list(LASTS))
    until(lambda: settled(zun.containers.get(made.uuid), "Running"), "Running")
    yield made.uuid
    zun.containers.delete(made.uuid, stop=True)


def test_what_cannot_be_printed_is_read_by_the_library(container: str, member: Login, zun: client.Client) -> None:
    assert zun.containers.top(container)["Processes"]
    person = Person(member)
    for act in (person.zun, person.openstack):
        with pytest.raises(AssertionError, match=r"unsupported operand type\(s\) for %"):
            act("top", container)
