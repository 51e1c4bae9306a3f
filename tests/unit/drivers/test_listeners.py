"""Which ports programs of a host have, as its kernel tells it."""

import socket
from pathlib import Path

from higgins.drivers.networks.local import listeners
from higgins.model.network import HostPort

TITLE = "  sl  local_address rem_address   st tx_queue rx_queue\n"


def row(local: str, state: str) -> str:
    return f"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 1067 1 0\n"


def test_whoever_waits_for_others_has_its_port(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TITLE + row("00000000:0016", "0A") + row("0100007F:1F90", "0A"))
    (tmp_path / "tcp6").write_text(TITLE + row(f"{'0' * 32}:0016", "0A") + row(f"{'0' * 32}:0050", "0A"))
    (tmp_path / "udp").write_text(TITLE + row("00000000:0035", "07"))
    assert listeners.found(tmp_path) == [
        HostPort("tcp", 22),
        HostPort("tcp", 80),
        HostPort("tcp", 8080),
        HostPort("udp", 53),
    ]


def test_what_asks_others_has_none(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TITLE + row("0100007F:1F90", "01") + row("0100007F:1F91", "06"))
    (tmp_path / "udp").write_text(TITLE + row("0100007F:0035", "01") + row("00000000:C000", "07"))
    assert listeners.found(tmp_path) == []


def test_a_kernel_that_tells_nothing_is_no_fault(tmp_path: Path) -> None:
    assert listeners.found(tmp_path) == []


def test_a_program_that_listens_here_is_found() -> None:
    with socket.socket() as server:
        number = next(each for each in range(12000, 32000) if _bound(server, each))
        server.listen()
        assert HostPort("tcp", number) in listeners.found()
    assert HostPort("tcp", number) not in listeners.found()


def _bound(server: socket.socket, number: int) -> bool:
    try:
        server.bind(("127.0.0.1", number))
    except OSError:
        return False
    return True
