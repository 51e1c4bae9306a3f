"""The files of a network's ports, which go while somebody looks at them."""

import threading
from pathlib import Path

from higgins.drivers.networks.local.shelf import Shelf


def test_who_looks_while_the_last_port_goes_sees_none(tmp_path: Path) -> None:
    shelf, over = Shelf(tmp_path / "owner" / "hgn-1"), threading.Event()

    def come_and_go() -> None:
        for _ in range(300):
            shelf.hosts.mkdir(parents=True, exist_ok=True)
            shelf.clear()
        over.set()

    going = threading.Thread(target=come_and_go)
    going.start()
    while not over.is_set():
        assert list(shelf.ports()) == []
    going.join()
