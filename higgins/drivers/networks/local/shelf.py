"""One network's folder below the driver's: a file for each port, from which its names are told, and the name server's own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from higgins.drivers.networks.local.wanted import ID, Wanted
from higgins.model.ids import PortId


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a port's file says of it. It is there before anything else of the port, and goes last."""

    namespace: str = ""
    """That it is plugged into, or was to be."""
    whole: bool = False
    """It was plugged in to the end."""
    wiring: str = ""
    form: str = ""
    ruled: bool = True
    """Whether there may be rules in the namespace."""
    published: bool = True
    """Whether there may be something published."""


class Shelf:
    """The files of one network on this host. All of them go with the machine, as what they tell of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts = folder / "hosts"
        self.server = folder / "dnsmasq.pid"

    def begin(self, wanted: Wanted, namespace: str) -> None:
        """Whatever follows, it is known that there may be something of the port."""
        self.hosts.mkdir(parents=True, exist_ok=True)
        # Name servers give up root's rights before they read.
        for folder in (self.folder.parent.parent, self.folder.parent, self.folder, self.hosts):
            folder.chmod(0o755)
        self._write(wanted.port.id, f"# {namespace}", *_names(wanted))

    def finish(self, wanted: Wanted, namespace: str) -> None:
        """The port is plugged in, as a whole."""
        port = wanted.port
        ruled, published = int(port.rules is not None), int(bool(port.published))
        self._write(port.id, f"# {namespace} {wanted.wiring} {wanted.form} {ruled} {published}", *_names(wanted))

    def undo(self, port_id: PortId, record: Record) -> None:
        """Whatever follows, it is known that there may be something left of the port. Its names are gone."""
        if self.hosts.is_dir():
            self._write(port_id, f"# {record.namespace}")

    def forget(self, port_id: PortId) -> None:
        """Nothing is left of the port."""
        (self.hosts / port_id).unlink(missing_ok=True)

    def clear(self) -> None:
        """Nothing is left of the network."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.parent.rmdir()  # Another network's is in it.

    def read(self, port_id: PortId) -> Record | None:
        """None: there is nothing of it."""
        try:
            opening = (self.hosts / port_id).read_text().partition("\n")[0].split()
        except OSError:
            return None
        match opening:
            case ["#", namespace, wiring, form, ruled, published]:
                flags = {"ruled": ruled == "1", "published": published == "1"}
                return Record(namespace=namespace, whole=True, wiring=wiring, form=form, **flags)
            case ["#", namespace]:
                return Record(namespace=namespace)
        return Record()

    def ports(self) -> Iterator[tuple[PortId, Record]]:
        """All of which there may be something."""
        try:
            names = sorted(os.listdir(self.hosts))
        except (FileNotFoundError, NotADirectoryError):
            return  # There is none, or its last port is just being unplugged.
        for name in names:
            # Somebody may have put names of their own there.
            if ID.fullmatch(name) and (record := self.read(PortId(name))) is not None:
                yield PortId(name), record

    def _write(self, port_id: PortId, *lines: str) -> None:
        draft = self.folder / f"draft-{port_id}"
        draft.write_text("\n".join(lines) + "\n")
        draft.chmod(0o644)
        # In one move: whoever reads the folder sees the old file or the new one.
        draft.rename(self.hosts / port_id)


def _names(wanted: Wanted) -> list[str]:
    port = wanted.port
    return [f"{address} {' '.join(port.names)}" for address in port.addresses if port.names]
