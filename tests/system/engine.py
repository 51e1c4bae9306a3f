"""A real Docker Engine for tests: fixtures that find one, local images, and a registry on the loopback address."""

import asyncio
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import aiodocker
import pytest

from higgins import errors
from higgins.drivers.engine import Engine, lines
from higgins.drivers.images.docker import DockerImages
from higgins.model.live import ImageFacts

URL = os.environ.get("HIGGINS_TEST_DOCKER", "unix:///var/run/docker.sock")
BUSYBOX = "higgins-test/busybox:latest"
APPLETS = """
cat chmod cp cut date dd df du echo env expr false find free grep head hostname id ip kill ln ls mkdir mount mv nc nproc od ping printf ps pwd
rm sed seq sh sleep sort stty sync tail test touch tr true tty uname uptime wc wget which whoami yes
"""


def missing(reason: str) -> NoReturn:
    """What a test needs is not there: a failure in CI, elsewhere a skip that says why."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have it: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def docker_url() -> str:
    """The address of a Docker Engine that answers and has the image BUSYBOX."""
    try:
        asyncio.run(import_busybox(BUSYBOX))
    except errors.Failure as failure:
        missing(f"These tests need a Docker Engine. {failure.message}")
    return URL


@pytest.fixture(scope="session")
def registry_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a registry that is empty at first. The engine trusts it, being on the loopback address."""
    program = shutil.which("docker-registry")
    if program is None:
        missing("There is no docker-registry here; install Debian's package of that name.")
    with registry(program, tmp_path_factory.mktemp("registry")) as address:
        yield address


async def import_busybox(tag: str, *, url: str = URL) -> None:
    """Make an image of this machine's static busybox under that name, unless it is there."""
    root = busybox_root()
    label = f"org.higgins.test={hashlib.sha256(root).hexdigest()}"
    async with Engine(url) as engine:
        wanted = json.dumps({"reference": [tag], "label": [label]})
        if json.loads(await engine.call("GET", "images/json", {"filters": wanted})):
            return
        name, _, version = tag.rpartition(":")
        parameters = {"fromSrc": "-", "repo": name, "tag": version, "changes": f"LABEL {label}"}
        async with engine.stream("POST", "images/create", parameters, body=root) as response:
            async for line in lines(response):
                assert b'"error"' not in line, line


async def push(image: str, address: str, name: str, *, url: str = URL) -> str:
    """Put a copy of an image into a registry, and leave none of that name here. Returns the reference to fetch it by."""
    repository, _, tag = f"{address}/{name}".rpartition(":")
    async with aiodocker.Docker(url) as docker:
        await docker.images.tag(image, repository, tag=tag)
        await docker.images.push(repository, tag=tag, auth={"username": "nobody", "password": "nothing"})
    await forget(f"{repository}:{tag}", url=url)
    return f"{repository}:{tag}"


async def forget(image: str, *, url: str = URL) -> None:
    """Remove an image of that name, if there is one."""
    async with aiodocker.Docker(url) as docker:
        try:
            await docker.images.delete(image, force=True)
        except aiodocker.DockerError as error:
            if error.status != 404:
                raise


async def here(image: str, *, url: str = URL) -> ImageFacts | None:
    """An image as the engine has it."""
    async with DockerImages(url=url) as images:
        return await images.resolve(image)


@contextmanager
def registry(program: str, directory: Path, address: str | None = None) -> Iterator[str]:
    """A registry that keeps its images in the directory, for as long as the block lasts; at a free address, or at the one it had before."""
    address = address or f"127.0.0.1:{_free_port()}"
    configuration = directory / "config.yml"
    configuration.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {directory}/images}}}}\nhttp: {{addr: {address}}}\n"
    )
    process = subprocess.Popen(
        [program, "serve", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://{address}/v2/")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(address: str) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"Nothing answered at {address} within five seconds.")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def busybox_root() -> bytes:
    """The file system of the image BUSYBOX, as a tar."""
    busybox = shutil.which("busybox")
    if busybox is None:
        missing("These tests need a static busybox; install Debian's package busybox-static.")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for directory, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777)):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        _add_file(tar, "bin/busybox", Path(busybox).read_bytes(), 0o755)
        _add_file(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
        for applet in APPLETS.split():
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return packed.getvalue()


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
