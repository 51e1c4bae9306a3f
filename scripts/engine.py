"""What ./quickstart asks of a Docker Engine, with nothing but the standard library: engine.py URL COMMAND [ARGUMENT...]."""

import http.client
import io
import json
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit


class Refused(Exception):
    """The engine said no; the message is its own."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def call(url: str, method: str, path: str, *, timeout: float = 60, body: bytes | None = None, **query: str) -> bytes:
    """The body of the answer. Raises OSError when nobody answers and Refused for a status from 400 on."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "unix":
        connection = _UnixConnection(parts.path, timeout)
    else:
        connection = http.client.HTTPConnection(parts.hostname or "localhost", parts.port or 2375, timeout=timeout)
    try:
        connection.request(method, f"{path}?{urlencode(query)}", body=body)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        raise Refused(content.decode(errors="replace").strip())
    return content


def version(url: str) -> str:
    """The engine's own."""
    return f"{json.loads(call(url, 'GET', '/version', timeout=5))['Version']}"


def has_image(url: str, name: str) -> str:
    """The name, if it is there."""
    call(url, "GET", f"/images/{quote(name)}/json")
    return name


def pull(url: str, name: str, patience: str) -> str:
    """Fetch an image from its registry. Raises Refused or OSError when that cannot be done, or takes too long."""
    repository, _, tag = name.partition(":")
    _no_error_in(
        call(url, "POST", "/images/create", timeout=float(patience), fromImage=repository, tag=tag or "latest")
    )
    return has_image(url, name)


def make_image(url: str, name: str, busybox: str) -> str:
    """Import an image that holds a static busybox and nothing else."""
    repository, _, tag = name.partition(":")
    _no_error_in(
        call(
            url,
            "POST",
            "/images/create",
            body=_root_of(Path(busybox)),
            fromSrc="-",
            repo=repository,
            tag=tag or "latest",
        )
    )
    return name


def remove_image(url: str, name: str) -> str:
    """Remove it; succeeds if there is none."""
    try:
        call(url, "DELETE", f"/images/{quote(name)}", force="true")
    except Refused:
        return "no image"
    return name


def containers(url: str, label: str) -> str:
    """The ids of the containers with that label, running or not."""
    return "\n".join(container["Id"] for container in _labelled(url, label))


def remove_containers(url: str, label: str) -> str:
    """Remove every container with that label, running or not; how many."""
    found = _labelled(url, label)
    for container in found:
        try:
            call(url, "DELETE", f"/containers/{container['Id']}", force="true", v="true")
        except Refused as refusal:
            print(refusal, file=sys.stderr)
    return str(len(found))


def _labelled(url: str, label: str) -> list[dict[str, str]]:
    filters = json.dumps({"label": [label]})
    found: list[dict[str, str]] = json.loads(call(url, "GET", "/containers/json", all="true", filters=filters))
    return found


def _no_error_in(progress: bytes) -> None:
    """The engine answers 200 first and tells of failures on the way."""
    for line in progress.splitlines():
        if reason := json.loads(line).get("error"):
            raise Refused(reason)


def _root_of(busybox: Path) -> bytes:
    names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777)):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, mode
            tar.addfile(directory)
        for path, content, mode in (
            ("bin/busybox", busybox.read_bytes(), 0o755),
            ("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644),
            ("etc/group", b"root:x:0:\n", 0o644),
        ):
            file = tarfile.TarInfo(path)
            file.size, file.mode = len(content), mode
            tar.addfile(file, io.BytesIO(content))
        for name in names:
            if name != "busybox":
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
    return packed.getvalue()


COMMANDS: dict[str, Callable[..., str]] = {
    "version": version,
    "has-image": has_image,
    "pull": pull,
    "make-image": make_image,
    "remove-image": remove_image,
    "containers": containers,
    "remove-containers": remove_containers,
}


def main(url: str, command: str, *arguments: str) -> None:
    """Print the answer; one line on standard error and status 1 when there is none."""
    try:
        print(COMMANDS[command](url, *arguments))
    except (OSError, Refused, http.client.HTTPException) as failure:
        sys.exit(f"{command}: {failure}")


if __name__ == "__main__":
    main(*sys.argv[1:])
