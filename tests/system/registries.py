"""Real registries for tests: plain, or with TLS and passwords; slow ones; and images whose layers nobody has yet."""

import asyncio
import contextlib
import datetime
import hashlib
import ipaddress
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiodocker
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from higgins.drivers.engine import Engine, lines
from higgins.testing.live_contract import packed
from tests.system.engine import URL, busybox_root, forget, missing
from tests.system.servers import free_ports

CERTIFICATES = Path("/etc/docker/certs.d")
HASHES: Mapping[str, str] = {
    "open sesame": "$2b$04$BZyyW2PzfNwxY7WXVqW1dOMOEZq4PTRle7zbJApkEXGe0iz2EdNU2",
    "close sesame": "$2b$04$RVZZPKZozYa8f2/Hm5C/TevJ4A6Z3/H4hoCkLFHC4KUillGRbpBku",
}
"""The passwords that users of these registries can have, as bcrypt writes them: nothing here can compute it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One that runs."""

    address: str
    """HOST:PORT, as it stands in front of an image's name."""
    log: Path
    users: Mapping[str, str]

    def asked(self, text: str) -> int:
        """How many requests with this text in them it has answered."""
        return sum(text in line for line in self.log.read_text(errors="replace").splitlines() if "http.request" in line)

    def fetches(self, name: str) -> int:
        """How many times somebody has begun to fetch this name: each begins by asking what its tag means."""
        repository, _, tag = name.rpartition(":")
        asked = re.compile(rf'"(HEAD|GET) /v2/{re.escape(repository)}/manifests/{re.escape(tag)} ')
        return len(asked.findall(self.log.read_text(errors="replace")))


@contextmanager
def registry(
    directory: Path, *, host: str = "127.0.0.1", users: Mapping[str, str] | None = None, tls: bool = False
) -> Iterator[Registry]:
    """A registry that keeps its images in the directory, while the block runs. With `tls` the engine is told to trust it."""
    program = shutil.which("docker-registry")
    if program is None:
        missing("There is no docker-registry here; install Debian's package of that name.")
    directory.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    made = Registry(address=f"{host}:{port}", log=directory / "registry.log", users=dict(users or {}))
    configuration: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "images")}, "delete": {"enabled": True}},
        "http": {"addr": made.address},
    }
    if users:
        set_passwords(directory, users)
        configuration["auth"] = {"htpasswd": {"realm": "test", "path": str(directory / "htpasswd")}}
    if tls:
        _make_certificate(directory, host)
        configuration["http"] = {
            "addr": made.address,
            "tls": {"certificate": str(directory / "tls.crt"), "key": str(directory / "tls.key")},
        }
    (directory / "config.yml").write_text(json.dumps(configuration))
    with made.log.open("ab") as log:
        process = subprocess.Popen([program, "serve", str(directory / "config.yml")], stdout=log, stderr=log)
    try:
        _wait_for(f"{'https' if tls else 'http'}://{made.address}/v2/")
        with trusted(directory, made.address) if tls else contextlib.nullcontext():
            yield made
    finally:
        process.terminate()
        process.wait(10)


def set_passwords(directory: Path, users: Mapping[str, str]) -> None:
    """The registry reads them again at the next request."""
    lines = [f"{name}:{HASHES[password]}\n" for name, password in users.items()]
    (directory / "htpasswd").write_text("".join(lines))


@contextmanager
def trusted(directory: Path, address: str) -> Iterator[None]:
    """The engine on this machine trusts the certificate while the block runs."""
    place = CERTIFICATES / address
    try:
        place.mkdir(parents=True)
    except PermissionError:
        missing(f"This user may not write {CERTIFICATES}, where the engine looks for the authorities of registries.")
    try:
        shutil.copy(directory / "tls.crt", place / "ca.crt")
        yield
    finally:
        shutil.rmtree(place)


def engine_address(url: str = URL) -> str:
    """An address of the engine's machine that is not the loopback one, for which engines ask for no certificate."""

    async def gateway() -> str:
        async with Engine(url) as engine:
            network = json.loads(await engine.call("GET", "networks/bridge"))
            return str(network["IPAM"]["Config"][0]["Gateway"])

    return asyncio.run(gateway())


class Slow:
    """Something between the engine and a registry that lets through only so many bytes a second, which may change at any time."""

    def __init__(self, to: str, rate: int) -> None:
        self._to = to
        self.rate = rate
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.passed = 0
        """Bytes from the registry."""
        self._over = False

    def __enter__(self) -> "Slow":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._listener.close()

    def _serve(self) -> None:
        while not self._over:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            host, _, port = self._to.rpartition(":")
            server = socket.create_connection((host, int(port)))
            threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, slowly: bool) -> None:
        try:
            while piece := source.recv(16384):
                if slowly:
                    self.passed += len(piece)
                    time.sleep(len(piece) / self.rate)
                sink.sendall(piece)
        except OSError:
            pass
        finally:
            for one in (source, sink):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


async def build(tag: str, *, layers: int = 2, size: int = 200_000, url: str = URL) -> None:
    """Make an image on top of BUSYBOX with layers that nobody else has, of so many bytes each that cannot be compressed."""
    parts = [packed({f"part{number}": os.urandom(size)}) for number in range(layers)]
    tars = {f"{number}.tar": tar for number, tar in enumerate((busybox_root(), *parts))}
    async with Engine(url) as engine:
        architecture = json.loads(await engine.call("GET", "version"))["Arch"]
        diffs = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars.values()]
        image = {"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diffs}}
        manifest = [{"Config": "image.json", "RepoTags": [tag], "Layers": [*tars]}]
        documents = {"image.json": json.dumps(image).encode(), "manifest.json": json.dumps(manifest).encode()}
        # Loaded whole: of what the engine builds, others see the stages on the way, and may remove them.
        async with engine.stream("POST", "images/load", body=packed(tars | documents)) as response:
            async for line in lines(response):
                assert b'"error"' not in line, line


async def publish(
    to: Registry, name: str, *, user: str | None = None, layers: int = 2, size: int = 200_000, url: str = URL
) -> str:
    """Put a new image into a registry, and leave nothing of it here. Returns the reference to fetch it by."""
    reference = f"{to.address}/{name}"
    await build(reference, layers=layers, size=size, url=url)
    repository, _, tag = reference.rpartition(":")
    auth = {"username": user or "nobody", "password": to.users.get(user or "", "nothing")}
    async with aiodocker.Docker(url) as docker:
        await docker.images.push(repository, tag=tag, auth=auth)
    await forget(reference, url=url)
    return reference


@contextmanager
def published(
    to: Registry, name: str, *, user: str | None = None, layers: int = 2, size: int = 200_000
) -> Iterator[str]:
    """The reference of a new image in a registry. Nothing of it is here, neither before the block nor after."""
    reference = asyncio.run(publish(to, name, user=user, layers=layers, size=size))
    try:
        yield reference
    finally:
        asyncio.run(forget(reference))


def left(of: Registry, url: str = URL) -> list[str]:
    """What the engine still has of it."""

    async def named() -> list[str]:
        async with Engine(url) as engine:
            which = {"filters": json.dumps({"reference": [f"{of.address}/*", f"{of.address}/*/*"]})}
            found = json.loads(await engine.call("GET", "images/json", which))
            return [str(name) for image in found for name in (image["RepoTags"] or image["RepoDigests"])]

    return asyncio.run(named())


def digest(of: Registry, name: str) -> str:
    """Of the manifest that a plain registry has under this name just now."""
    repository, _, tag = name.rpartition(":")
    request = urllib.request.Request(
        f"http://{of.address}/v2/{repository}/manifests/{tag}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers["Docker-Content-Digest"])


def _make_certificate(directory: Path, host: str) -> None:
    """Its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a registry for tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "tls.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _wait_for(address: str) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    for _ in range(100):
        try:
            urllib.request.urlopen(address, timeout=1, context=trusting).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nothing answered at {address} within five seconds")
