"""A second Docker Engine that a test may kill: its own data, network, mounts and processes, and nothing of it left afterwards."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.system.engine import missing
from tests.system.servers import PATIENCE as END
from tests.system.servers import AllInOne

PATIENCE = 60.0


class OwnEngine:
    """`dockerd` in namespaces that are held by a process which does nothing: when that one ends, all that ran inside ends too.

    Inside, it sees no process of the machine, no network and no /run but its own, so neither engine disturbs the other.
    """

    def __init__(self, directory: Path) -> None:
        if os.geteuid() != 0 or not all(map(shutil.which, ("dockerd", "unshare", "nsenter", "ip"))):
            missing("A second Docker Engine needs root, dockerd, util-linux and iproute2.")
        self.directory = directory
        # A socket's path may have 107 bytes at most, and that of a test's directory can be longer.
        self._place = Path(tempfile.mkdtemp(prefix="higgins-engine-", dir="/tmp"))
        self.socket = self._place / "docker.sock"
        self.url = f"unix://{self.socket}"
        self.log = directory / "dockerd.log"
        self._data = self._place / "data"
        self._pid_file = self._place / "dockerd.pid"
        self._cgroup = f"/{self._place.name}"
        # The first process inside is heir to all whose parents have died, and has to bury them: the shell does so while it waits.
        idle = f"touch {self._place}/ready; while :; do sleep 1; done"
        self._holder = subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--pid", "--uts", "--propagation=private"),
                *("--fork", "--mount-proc", "--kill-child"),
                *("sh", "-c", f"mount -t tmpfs run /run && mount --make-rshared / && ip link set lo up && {idle}"),
            ],
            stdin=subprocess.DEVNULL,
        )
        self._inside = self._first_process()
        self.machine = Path(f"/proc/{self._inside}")
        """A process in there."""
        self.enter = ("nsenter", f"--target={self._inside}", "--mount", "--net", "--pid", "--uts")
        """What to put before a command so that it runs in there."""
        self.address = self._connect()
        """At which it is reached from this machine."""

    def _connect(self) -> str:
        """A wire, which ends with the namespace that it leads into."""
        high, low = divmod(self._inside % 16384 * 4, 256)
        here, there = f"198.19.{high}.{low + 1}", f"198.19.{high}.{low + 2}"
        link = f"hge{self._inside}"
        for words in (
            ("ip", "link", "add", link, "type", "veth", "peer", "name", "wire", "netns", str(self._inside)),
            ("ip", "address", "add", f"{here}/30", "dev", link),
            ("ip", "link", "set", link, "up"),
            (*self.enter, "ip", "address", "add", f"{there}/30", "dev", "wire"),
            (*self.enter, "ip", "link", "set", "wire", "up"),
        ):
            subprocess.run(words, check=True, capture_output=True)
        return there

    def _first_process(self) -> int:
        """The process number, as seen from outside, of the first process inside."""
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if (self._place / "ready").exists():
                return int(children.read_text().split()[0])
            time.sleep(0.01)
        raise AssertionError("The namespaces for a second engine could not be made.")

    def _enter(self, *command: str) -> list[str]:
        return [*self.enter, *command]

    def put_on_a_small_disk(self, mebibytes: int) -> None:
        """Before it is started: all that it keeps goes on a disk of this size."""
        self._data.mkdir()
        disk = ("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(self._data))
        subprocess.run(self._enter(*disk), check=True)

    def fill_its_disk(self) -> None:
        subprocess.run(self._enter("sh", "-c", f"cat /dev/zero >{self._data}/fill"), capture_output=True, check=False)

    def free_its_disk(self) -> None:
        subprocess.run(self._enter("rm", str(self._data / "fill")), check=True)

    def start(self, *options: str) -> None:
        """Returns once it answers."""
        self.spawn(*options)
        self.wait_until_it_answers()

    def spawn(self, *options: str) -> None:
        """Returns at once."""
        configuration = self._place / "daemon.json"
        configuration.write_text("{}")
        with self.log.open("ab") as log:
            subprocess.Popen(
                self._enter(
                    "dockerd",
                    f"--config-file={configuration}",
                    f"--data-root={self._data}",
                    f"--exec-root={self._place / 'exec'}",
                    f"--pidfile={self._pid_file}",
                    f"--host={self.url}",
                    f"--cgroup-parent={self._cgroup}",
                    "--shutdown-timeout=5",
                    *options,
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.05)
        raise AssertionError(f"The second engine does not answer:\n{self.log.read_text()[-3000:]}")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b"200 OK" in connection.recv(4096)
            except OSError:
                return False

    def kill(self) -> None:
        """As a crash would: its containers run on, with nobody to look after them."""
        self._signal("KILL")

    def kill_before_it_writes_down_a_start(self, container: str) -> None:
        """As a crash would that comes between the start of a container, by its full id, and the engine's record of it."""
        self.kill()
        record = self._data / "containers" / container / "config.v2.json"
        written = json.loads(record.read_text())
        written["State"] |= {"Running": False, "Pid": 0, "StartedAt": "0001-01-01T00:00:00Z"}
        record.write_text(json.dumps(written))

    def processes(self) -> dict[int, str]:
        """The command lines of all that runs in its containers, by number, whether it knows of it or not."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self._cgroup in (process / "cgroup").read_text():
                    found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue
        return found

    def stop(self) -> None:
        """As an administrator would: it ends its containers first."""
        self._signal("TERM")

    def _signal(self, name: str) -> None:
        # Its own number, as it sees itself; gone is the process only when nothing has that number any more.
        number = self._pid_file.read_text().strip()
        gone = f"kill -{name} {number}; while kill -0 {number} 2>/dev/null; do sleep 0.05; done"
        subprocess.run(self._enter("sh", "-c", gone), check=False, timeout=PATIENCE, capture_output=True)

    def remove(self) -> None:
        """End it and everything in it."""
        self._holder.send_signal(signal.SIGKILL)
        # What is paused dies only once it is let go; until then even the end of its namespace waits for it.
        for frozen in Path("/sys/fs/cgroup/freezer", self._cgroup.strip("/")).glob("*/freezer.state"):
            frozen.write_text("THAWED")
        self._holder.wait(PATIENCE)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{self._inside}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        shutil.rmtree(self._place, ignore_errors=True)
        for hierarchy in Path("/sys/fs/cgroup").iterdir():
            parent = hierarchy / self._cgroup.strip("/")
            for folder, _, _ in os.walk(parent, topdown=False):
                _remove_group(Path(folder), deadline)


class Within(AllInOne):
    """An all-in-one on the machine of a second engine: its networks and mounts are there, and end with it."""

    def __init__(
        self, directory: Path, engine: OwnEngine, settings: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        super().__init__(directory, engine.url, {"api": {"host_ip": "0.0.0.0"}, **(settings or {})})
        self.enter, self.machine = engine.enter, engine.machine
        self.url = f"http://{engine.address}:{self.port}"

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        # What was started for us only waits for what it has started itself.
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for child in children.read_text().split():
            os.kill(int(child), number)
        return self.process.wait(END)


def _remove_group(folder: Path, deadline: float) -> None:
    """The kernel takes a moment to let go of a group whose processes have been killed."""
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
