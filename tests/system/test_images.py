"""Images from a real registry, on a real engine, through a real all-in-one: fetched once, seen coming, given up, found, collected."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from zunclient import client
from zunclient import exceptions as refused

from higgins.model.live import ImageFacts
from tests.system import clients, engine, registries
from tests.system.clients import LASTS, Newest, Person, settled, until
from tests.system.engine import BUSYBOX, forget
from tests.system.registries import Registry, Slow, published
from tests.system.servers import AllInOne, Login

DETAIL = re.compile(r"Pulling \d+ of 3 layers, (\d+\.\d) of (\d+\.\d) MB")
QUICKLY = 1 << 30


@pytest.fixture(scope="module")
def registry(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registries.registry(tmp_path_factory.mktemp("registry")) as running:
        yield running
        assert registries.left(running) == []


@pytest.fixture(scope="module")
def zun(member: Login) -> client.Client:
    return clients.library(member)


@pytest.fixture(scope="module")
def newest(member: Login) -> Newest:
    return Newest(member)


@pytest.fixture(autouse=True)
def nothing_left(zun: client.Client) -> Iterator[None]:
    """One test's containers must not be another's trouble."""
    yield
    for one in zun.containers.list():
        zun.containers.delete(one.uuid, stop=True)
    until(lambda: zun.containers.list() == [], "an empty project")


@contextmanager
def slowly(registry: Registry, name: str, rate: int) -> Iterator[tuple[Slow, str]]:
    """A new image of three layers, by a name that the engine fetches slowly."""
    with published(registry, name, layers=2, size=500_000), Slow(registry.address, rate) as slow:
        reference = f"{slow.address}/{name}"
        try:
            yield slow, reference
        finally:
            asyncio.run(forget(reference))


def here(reference: str) -> ImageFacts | None:
    """The image as the engine has it."""
    return asyncio.run(engine.here(reference))


def test_twenty_containers_that_want_one_absent_image_at_once_have_it_fetched_once(
    registry: Registry, zun: client.Client
) -> None:
    with slowly(registry, "team/once:1", rate=200_000) as (slow, reference):
        asked = {"image": reference, "command": ["true"], "cpu": 0.1, "memory": "16"}
        made = [zun.containers.create(**asked) for _ in range(20)]
        until(lambda: slow.passed > 0, "a beginning")
        assert here(reference) is None
        slow.rate = QUICKLY
        until(lambda: all(settled(zun.containers.get(one.uuid), "Created") for one in made), "all of them")
        assert registry.fetches("team/once:1") == 1
        for one in made:
            zun.containers.delete(one.uuid)
        until(lambda: zun.containers.list() == [], "an empty project")


def test_how_far_a_fetch_is_can_be_seen_and_it_is_a_step_of_the_action(
    registry: Registry, zun: client.Client, newest: Newest
) -> None:
    with slowly(registry, "team/seen:1", rate=250_000) as (slow, reference):
        made = zun.containers.run(image=reference, command=["true"])
        seen: list[tuple[float, float]] = []

        def moved() -> bool:
            found = DETAIL.fullmatch(zun.containers.get(made.uuid).status_detail or "")
            if found is not None and float(found[1]) > 0:
                seen.append((float(found[1]), float(found[2])))
            return len(set(seen)) >= 2

        until(moved, "progress")
        assert sorted(seen) == seen
        assert all(done < size for done, size in seen)
        progress = newest.get(f"/containers/{made.uuid}")["progress"]
        assert progress["layers"] == 3
        assert 0 < progress["done"] <= progress["size"]
        request = zun.actions.list(made.uuid)[0].request_id
        action = f"/containers/{made.uuid}/container_actions/{request}"
        [step] = [one for one in newest.get(action)["events"] if one["event"] == "pull"]
        assert (step["result"], step["finish_time"]) == (None, None)
        slow.rate = QUICKLY
        until(lambda: settled(zun.containers.get(made.uuid), "Stopped"), "its end")
        shown = newest.get(f"/containers/{made.uuid}")
        assert shown["progress"] is None
        steps = newest.get(action)["events"]
        told = [one["event"] for one in reversed(steps)]
        # In between it gets a network.
        assert [told[0], *told[-3:]] == ["schedule", "pull", "create", "start"]
        assert {one["result"] for one in steps} == {"Success"}
        [step] = [one for one in steps if one["event"] == "pull"]
        assert step["start_time"] < step["finish_time"]
        zun.containers.delete(made.uuid)
        until(lambda: zun.containers.list() == [], "the delete")


def test_who_deletes_the_container_ends_the_fetch(registry: Registry, zun: client.Client) -> None:
    with slowly(registry, "team/unwanted:1", rate=100_000) as (slow, reference):
        made = zun.containers.create(image=reference, command=["true"])
        until(lambda: slow.passed > 50_000, "a part of it")
        zun.containers.delete(made.uuid, force=False)
        until(lambda: zun.containers.list() == [], "the delete")

        def still() -> bool:
            before = slow.passed
            time.sleep(1)
            return slow.passed == before

        until(still, "the end of the fetch")
        assert slow.passed < 1_000_000
        assert here(reference) is None


def test_of_two_who_wait_for_one_fetch_the_other_is_not_let_down(registry: Registry, zun: client.Client) -> None:
    with slowly(registry, "team/shared:1", rate=100_000) as (slow, reference):
        first = zun.containers.create(image=reference, command=["true"])
        second = zun.containers.create(image=reference, command=["true"])
        until(lambda: slow.passed > 50_000, "a part of it")
        zun.containers.delete(first.uuid)
        slow.rate = QUICKLY
        until(lambda: settled(zun.containers.get(second.uuid), "Created"), "the other one")
        assert registry.fetches("team/shared:1") == 1
        zun.containers.delete(second.uuid)
        until(lambda: zun.containers.list() == [], "the delete")


def test_a_digest_means_that_very_image_whatever_the_tag_means_by_now(registry: Registry, zun: client.Client) -> None:
    with published(registry, "team/moving:1", layers=1) as reference:
        pinned = f"{registry.address}/team/moving@{registries.digest(registry, 'team/moving:1')}"
        try:
            with published(registry, "team/moving:1", layers=2):
                for image, parts in ((pinned, ["part0"]), (reference, ["part0", "part1"])):
                    made = zun.containers.run(image=image, command=["sh", "-c", "echo /part*"])
                    until(lambda: settled(zun.containers.get(made.uuid), "Stopped"), "its end")  # noqa: B023
                    told = zun.containers.logs(made.uuid, stdout=True, stderr=True, timestamps=False, tail="all")
                    assert told.split() == [f"/{part}" for part in parts]
                    assert zun.containers.get(made.uuid).image == image
                    zun.containers.delete(made.uuid)
                until(lambda: zun.containers.list() == [], "the deletes")
        finally:
            asyncio.run(forget(pinned))


def test_a_registry_is_searched_with_both_clients(registry: Registry, member: Login, zun: client.Client) -> None:
    person = Person(member)
    with published(registry, "team/found:1"), published(registry, "team/found-too:2"):
        table = person.zun("image-search", f"{registry.address}/found")
        assert f"{registry.address}/team/found " in table
        assert f"{registry.address}/team/found-too " in table
        exact = person.zun("image-search", "--exact-match", f"{registry.address}/team/found")
        assert "['1']" in exact
        assert "found-too" not in exact
        said = person.openstack("image", "search", "-f", "json", "--exact-match", f"{registry.address}/team/found-too")
        [row] = json.loads(said)
        assert (row["Name"], row["Tags"]) == (f"{registry.address}/team/found-too", ["2"])
        assert zun.images.search_image(f"{registry.address}/none-such") == []


def test_a_search_where_no_registry_answers_ends_and_says_which(zun: client.Client) -> None:
    with pytest.raises(refused.HttpError, match=r"Registry 127\.0\.0\.1:1 does not answer") as refusal:
        zun.images.search_image("127.0.0.1:1/app")
    assert refusal.value.http_status == 503


@pytest.mark.parametrize("how", ["zun", "openstack"])
def test_an_operator_has_an_image_fetched_looked_at_and_removed(
    how: str, registry: Registry, admin: Login, newest: Newest
) -> None:
    person, library = Person(admin), clients.library(admin)
    [host] = [one.hostname for one in library.hosts.list()]
    with published(registry, f"team/by-{how}:1") as reference:
        if how == "zun":
            assert f"team/by-{how}" in person.zun("pull", reference, host)
        else:
            assert f"team/by-{how}" in person.openstack("image", "pull", reference, host)
        [image] = [one for one in library.images.list() if one.repo.endswith(f"/by-{how}")]
        until(lambda: library.images.get(image.uuid).image_id is not None, "its arrival")
        facts = here(reference)
        assert facts is not None
        if how == "zun":
            assert image.uuid in person.zun("image-list", "--limit", "5", "--sort-key", "repo", "--sort-dir", "desc")
            shown = person.zun("image-show", image.uuid)
            person.zun("image-delete", image.uuid)
        else:
            assert image.uuid in person.openstack("image", "list", "--sort-key", "repo", "--sort-dir", "desc")
            shown = person.openstack("image", "show", image.uuid)
            assert "accepted" in person.openstack("image", "delete", image.uuid)
        assert facts.digest in shown
        assert here(reference) is None
        assert image.uuid not in [one.uuid for one in library.images.list()]


def test_when_the_disk_fills_what_nobody_uses_goes_and_nothing_else(
    registry: Registry, docker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    full = {"images": {"collect_above": 0.01, "collect_below": 0, "collect_period": 1}}
    server = AllInOne(tmp_path_factory.mktemp("full"), docker_url, full)
    server.start()
    try:
        zun = clients.library(server.add("martha", "garden"))
        with published(registry, "team/used:1") as used, published(registry, "team/unused:1") as unused:
            holds = zun.containers.create(image=used, command=list(LASTS))
            leaves = zun.containers.create(image=unused, command=["true"])
            for one in (holds, leaves):
                until(lambda: settled(zun.containers.get(one.uuid), "Created"), "Created")  # noqa: B023
            assert here(used) is not None
            assert here(unused) is not None
            zun.containers.delete(leaves.uuid)
            until(lambda: here(unused) is None, "its removal")
            until(lambda: f"removed image {unused}" in server.log.read_text(), "its reason")
            # The round that removed the one has looked at the other; so do the next two.
            time.sleep(2.5)
            assert here(used) is not None
            assert here(BUSYBOX) is not None
            zun.containers.start(holds.uuid)
            until(lambda: settled(zun.containers.get(holds.uuid), "Running"), "Running")
            zun.containers.delete(holds.uuid, stop=True)
            until(lambda: here(used) is None, "its removal, now that nobody uses it")
            assert here(BUSYBOX) is not None
        server.assert_no_traceback()
    finally:
        server.remove()
