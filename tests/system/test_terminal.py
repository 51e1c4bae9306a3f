"""The `higgins` command as a person at a terminal uses it, in a real window, with a real all-in-one."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.engine import BUSYBOX as IMAGE
from tests.system.registries import Slow, published, registry
from tests.system.servers import AllInOne, Login
from tests.system.tenant import Tenant
from tests.system.window import Window


@pytest.fixture(scope="module")
def tenant(member: Login, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    return Tenant(tmp_path_factory.mktemp("home"), member.environment)


@pytest.fixture
def window(tenant: Tenant) -> Iterator[Window]:
    with Window(tenant.environment, columns=100, rows=30) as window:
        yield window


@pytest.fixture
def shell(tenant: Tenant) -> Iterator[str]:
    """The name of a container whose first process is a shell at a terminal."""
    tenant.types("run", "-d", "-it", "--name", "shell", IMAGE, "sh")
    yield "shell"
    tenant.types("rm", "-f", "shell")


def test_run_it_is_a_terminal_of_the_container_from_its_first_line_to_its_exit_code(window: Window) -> None:
    before = window.settings()
    window.types(f"higgins run -it --rm {IMAGE} sh")
    window.shows("^/ #$")
    window.says("stty size")
    window.shows("^30 100$")
    window.resizes(90, 20)
    window.says("until [ \"$(stty size)\" = '20 90' ]; do sleep 0.1; done; echo as wide")
    window.shows("^as wide$")
    # Ctrl-C is the business of what runs inside.
    window.says("echo be''gun; sleep 600")
    window.shows("^begun$")
    window.presses("C-c")
    window.says("echo still $((6*7))")
    window.shows("^still 42$")
    window.says("exit 3")
    assert window.ends() == 3
    window.resizes(100, 30)
    assert window.settings() == before


def test_ctrl_p_ctrl_q_leaves_it_and_lets_it_go_on(window: Window, tenant: Tenant) -> None:
    window.types(f"higgins run -it --name left {IMAGE} sh")
    window.shows("^/ #$")
    window.says("here=$((1+1))")
    window.presses("C-p", "C-q")
    window.shows("left goes on; back to it: higgins attach left")
    assert window.ends() == 0
    window.types("higgins attach left")
    # It asks for the next line again, to whoever has come, and what it was told is known to it.
    window.shows("^/ #$")
    window.says("echo it is $here")
    window.shows("^it is 2$")
    window.says("exit 4")
    assert window.ends() == 4
    tenant.types("rm", "left")


def test_start_ai_is_at_the_terminal_of_what_had_ended(window: Window, tenant: Tenant) -> None:
    tenant.types("create", "-it", "--name", "evening", IMAGE, "sh")
    for status in (0, 3):
        window.types("higgins start -ai evening")
        window.shows("^/ #$")
        window.says("until [ \"$(stty size)\" = '30 100' ]; do sleep 0.1; done; echo as wide")
        window.shows("^as wide$")
        if status:
            window.says(f"exit {status}")
        else:
            window.presses("C-p", "C-q")
            window.shows("evening goes on")
        assert window.ends() == status
        window.types("clear")
        tenant.types("stop", "-t", "0", "evening")
    tenant.types("rm", "evening")


def test_exec_it_is_a_terminal_of_its_own_and_single_keys_of_the_way_out_go_through(window: Window, shell: str) -> None:
    window.types(f"higgins exec -it {shell} sh")
    window.shows("^/ #$")
    window.says("tty; stty size; cat -A")
    window.shows("^30 100$")
    window.presses("C-p", "x", "C-p", "Enter")
    window.shows(r"^\^Px\^P\$$")
    window.presses("C-d")
    window.says("exit 5")
    assert window.ends() == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_from_elsewhere_ends_a_session_and_leaves_the_terminal_as_it_was(
    window: Window, shell: str, number: int
) -> None:
    before = window.settings()
    window.types(f"higgins exec -it {shell} sh")
    window.shows("^/ #$")
    os.kill(window.running(), number)
    assert window.ends() == 128 + number
    assert window.settings() == before


def test_a_server_that_goes_ends_a_session_and_leaves_the_terminal_as_it_was(docker_url: str, tmp_path: Path) -> None:
    server = AllInOne(tmp_path, docker_url)
    server.start()
    try:
        tenant = Tenant(tmp_path / "home", server.add("greta", "grove").environment)
        with Window(tenant.environment) as window:
            before = window.settings()
            window.types(f"higgins run -it --name stays {IMAGE} sh")
            window.shows("^/ #$")
            server.kill()
            # On a line of its own, and with the way back.
            window.shows("^higgins: the server has gone$")
            window.shows("higgins attach stays")
            assert window.ends() == 125
            assert window.settings() == before
    finally:
        server.remove()


def test_lists_fit_the_window_and_have_colours_unless_somebody_wants_none(
    window: Window, tenant: Tenant, shell: str
) -> None:
    window.resizes(60, 20)
    window.types("higgins ps -a")
    assert window.ends() == 0
    (row,) = [line for line in window.lines if "shell" in line]
    assert "Up" in row
    # What was typed, the titles, the next prompt: no line was broken in two.
    assert len(window.lines) == 3 + len(tenant.types("ps", "-aq").split())
    assert "\x1b[32m" in window.coloured
    window.types("NO_COLOR=1 higgins ps -a")
    assert window.ends() == 0
    assert "\x1b[32m" not in window.coloured


def test_stats_stay_in_place_until_ctrl_c(window: Window, shell: str) -> None:
    window.types(f"higgins stats {shell}")
    window.shows(rf"{shell} +\d+\.\d%")
    assert len(window.lines) == 2
    window.presses("C-c")
    assert window.ends() == 130


def test_how_far_a_pull_is_stands_on_one_line_that_goes(all_in_one: AllInOne, admin: Login, tmp_path: Path) -> None:
    tenant = Tenant(tmp_path / "home", admin.environment)
    with (
        registry(tmp_path / "shop") as shop,
        published(shop, "higgins-test/slow:1", layers=2, size=300_000) as image,
        Slow(shop.address, 200_000) as way,
        Window(tenant.environment, columns=120) as window,
    ):
        name = image.replace(shop.address, way.address)
        window.types(f"higgins pull {name}")
        window.shows(r"━.* of \d.*B, \d of \d layers")
        way.rate = 100_000_000
        assert window.ends() == 0
        assert window.lines[1] == name
        assert "━" not in "\n".join(window.lines)
        tenant.types("rmi", name)


def test_a_login_asks_for_what_it_was_not_told_and_does_not_show_the_password(
    all_in_one: AllInOne, member: Login, tmp_path: Path
) -> None:
    password = member.environment["OS_PASSWORD"]
    with Window(Tenant(tmp_path / "home", {}).environment) as window:
        window.types(f"higgins login {all_in_one.url}")
        window.shows("^Name:")
        window.says("martha")
        window.shows("^Password:")
        window.presses("-l", password)
        window.presses("Enter")
        assert window.ends() == 0
        seen = window.shows("Logged in as martha in garden")
        assert password not in seen
        # And not by accident at the next prompt.
        window.types("higgins whoami -o name")
        assert window.ends() == 0
        assert window.lines[1] == "martha"
