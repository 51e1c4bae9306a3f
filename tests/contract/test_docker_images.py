"""The images of a Docker Engine keep the contract, with real registries: a plain one, and one with TLS and passwords."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from higgins import errors
from higgins.drivers.engine import Engine
from higgins.drivers.images.docker import DockerImages
from higgins.model.capsule import Progress
from higgins.model.registry import Login
from higgins.testing.image_contract import ImageContract, Name, Private, Use
from tests.system import registries
from tests.system.engine import BUSYBOX, docker_url, forget
from tests.system.registries import Registry, Slow, publish

__all__ = ["docker_url"]

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def plain(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One that gives everything to everybody."""
    with registries.registry(tmp_path_factory.mktemp("plain")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One with a certificate of its own authority, that asks for a password."""
    host, users = registries.engine_address(docker_url), {"martha": "open sesame"}
    with registries.registry(tmp_path_factory.mktemp("guarded"), host=host, users=users, tls=True) as running:
        yield running


@asynccontextmanager
async def published(to: Registry, name: str, **made: object) -> AsyncIterator[str]:
    reference = await publish(to, name, **made)  # type: ignore[arg-type]
    try:
        yield reference
    finally:
        await forget(reference)


class TestDockerImages(ImageContract):
    @pytest.fixture
    async def images(self, docker_url: str) -> AsyncIterator[DockerImages]:
        async with DockerImages(url=docker_url) as images:
            yield images

    @pytest.fixture
    def here(self) -> str:
        return BUSYBOX

    @pytest.fixture
    async def elsewhere(self, plain: Registry) -> AsyncIterator[str]:
        async with published(plain, "team/app:1") as reference:
            yield reference

    @pytest.fixture
    def nowhere(self, plain: Registry) -> str:
        return f"{plain.address}/team/none:1"

    @pytest.fixture
    async def private(self, guarded: Registry) -> AsyncIterator[Private]:
        async with published(guarded, "team/secret:1", user="martha") as reference:
            login = Login(domain=guarded.address, username="martha", password=guarded.users["martha"])
            yield Private(reference=reference, login=login)

    @pytest.fixture
    async def name(self, docker_url: str) -> AsyncIterator[Name]:
        given: list[str] = []

        async def name(reference: str, also: str) -> None:
            repository, _, tag = also.rpartition(":")
            async with Engine(docker_url) as engine:
                await engine.call("POST", f"images/{reference}/tag", {"repo": repository, "tag": tag})
            given.append(also)

        yield name
        for also in given:
            await forget(also)

    @pytest.fixture
    async def use(self, docker_url: str) -> AsyncIterator[Use]:
        async with Engine(docker_url) as engine:

            async def use(image: str) -> Callable[[], Awaitable[None]]:
                name = f"somebody-else-{uuid4()}"
                await engine.call("POST", "containers/create", {"name": name}, body={"Image": image, "Cmd": ["true"]})

                async def away() -> None:
                    await engine.call("DELETE", f"containers/{name}")

                return away

            yield use

    # What only a real engine can show

    async def test_a_registry_that_does_not_answer_is_named(self, images: DockerImages) -> None:
        with pytest.raises(errors.Unavailable, match=r"registry 127\.0\.0\.1:1 "):
            await images.fetch("127.0.0.1:1/app:1")
        with pytest.raises(errors.Unavailable, match=r"Registry 127\.0\.0\.1:1 "):
            await images.search("app", Login(domain="127.0.0.1:1"))

    async def test_a_registry_that_takes_a_question_and_never_answers_is_not_waited_for(self, docker_url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            silent = f"127.0.0.1:{listener.getsockname()[1]}"
            async with DockerImages(url=docker_url, patience=0.2) as images, asyncio.timeout(15):
                with pytest.raises(errors.Unavailable, match=f"Registry {silent} has not answered within 0.2 s"):
                    await images.search("app", Login(domain=silent))

    async def test_credentials_that_a_registry_refuses_are_named_with_it(
        self, images: DockerImages, guarded: Registry
    ) -> None:
        wrong = Login(domain=guarded.address, username="martha", password="wrong")
        with pytest.raises(errors.NotFound, match=f"registry {guarded.address} refuses the credentials of martha"):
            await images.fetch(f"{guarded.address}/team/any:1", wrong)
        with pytest.raises(errors.Forbidden, match=f"Registry {guarded.address} refuses the credentials of martha"):
            await images.search("any", wrong)

    async def test_what_to_do_about_a_certificate_is_told(self, images: DockerImages, guarded: Registry) -> None:
        place = registries.CERTIFICATES / guarded.address
        hidden = place.with_name(f"{place.name}.away")
        place.rename(hidden)
        try:
            login = Login(domain=guarded.address, username="martha", password=guarded.users["martha"])
            for trial in (images.fetch(f"{guarded.address}/team/secret:1", login), images.search("secret", login)):
                with pytest.raises(errors.Unavailable, match=f"certs.d/{guarded.address}/ca.crt"):
                    await trial
        finally:
            hidden.rename(place)

    async def test_a_digest_is_that_image_whatever_the_tag_means_by_now(
        self, images: DockerImages, plain: Registry
    ) -> None:
        async with published(plain, "team/moving:1"):
            first = registries.digest(plain, "team/moving:1")
            async with published(plain, "team/moving:1") as reference:
                second = registries.digest(plain, "team/moving:1")
                by_digest = f"{plain.address}/team/moving@{first}"
                try:
                    newest, pinned = await images.fetch(reference), await images.fetch(by_digest)
                    assert first != second
                    assert newest != pinned
                    assert await images.resolve(by_digest) == pinned
                    # A tag beside it says nothing more.
                    assert await images.fetch(f"{reference}@{first}") == pinned
                    assert await images.resolve(f"{plain.address}/team/moving:latest") is None
                finally:
                    await images.remove(by_digest)

    async def test_progress_is_in_layers_and_bytes_and_cancelling_stops_the_engine(
        self, images: DockerImages, plain: Registry
    ) -> None:
        with Slow(plain.address, rate=150_000) as slow:
            async with published(plain, "team/large:1", layers=3, size=1_000_000):
                reference = f"{slow.address}/team/large:1"
                told: list[Progress] = []
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(2):
                        await images.fetch(reference, None, told.append)
                assert told[-1].layers == 4
                assert 0 < told[-1].done < told[-1].size
                assert await images.resolve(reference) is None
                await asyncio.sleep(1)  # What was in the pipes arrives.
                passed = slow.passed
                await asyncio.sleep(1)
                assert slow.passed == passed
                slow.rate = 1 << 30
                await images.fetch(reference, None, told.append)
                assert (told[-1].layers, told[-1].layers_done) == (4, 4)
                assert told[-1].size == told[-1].done > 2_000_000
                await images.remove(reference)

    async def test_who_searches_without_a_catalogue_finds_what_has_that_very_name(
        self, images: DockerImages, plain: Registry
    ) -> None:
        async with published(plain, "team/found:1"), published(plain, "team/found:2"):
            login = Login(domain=plain.address)
            (hit,) = await images.search("team/found", login, exact=True)
            assert (hit.name, hit.tags) == (f"{plain.address}/team/found", ("1", "2"))
            assert await images.search("team/lost", login) == []
