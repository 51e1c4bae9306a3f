"""What takes more than one request, or none below /v1: discovery, ids of requests, logs, files and consoles."""

import base64
import io
import tarfile
from typing import Any

import pytest

from tests.compat import shapes
from tests.compat.ground import LASTS, Ground
from tests.compat.kinds import Kind, View
from tests.compat.table import MEMBER, NEWEST, NOBODY, ZUNS
from tests.compat.wire import Answer


def _fits(kind: Kind, answer: Answer, minor: int = NEWEST) -> None:
    assert not list(kind.complaints(answer.body, View(minor), "it")), answer.content


def test_the_root_tells_the_versions_to_everybody_in_no_version(there: Ground) -> None:
    answer = there.parties[NOBODY].ask("GET", "/", version="container 1.5")
    assert answer.status == 200
    _fits(shapes.VERSIONS, answer)
    assert "openstack-api-version" not in answer.headers
    assert answer.headers["x-openstack-request-id"].startswith("req-")


def test_the_version_may_be_missing_in_a_path_and_in_the_headers(there: Ground) -> None:
    bare = there.parties[MEMBER].ask("GET", "/containers")
    assert (bare.status, bare.headers["openstack-api-version"]) == (200, "container 1.1")
    _fits(shapes.CONTAINERS, bare, 1)


def test_a_slash_too_many_counts_for_nothing(there: Ground) -> None:
    answer = there.parties[MEMBER].ask("GET", "//v1//containers/")
    assert answer.status == (404 if there.upstream else 200)


def test_whether_it_answers_is_told_to_everybody(there: Ground) -> None:
    assert there.parties[NOBODY].ask("GET", "/healthcheck").status == 200


def test_every_request_has_an_id_of_its_own(there: Ground) -> None:
    ids = [there.ask(MEMBER, "GET", "/containers?limit=1").headers["x-openstack-request-id"] for _ in range(3)]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("minor", [1, ZUNS, NEWEST])
def test_logs_are_one_string_of_what_was_printed(there: Ground, minor: int) -> None:
    minor, path = min(minor, there.newest), f"/containers/{there.part('stopped')}/logs"
    assert there.ask(MEMBER, "GET", path, minor=minor).body == "hello\n"
    assert there.ask(MEMBER, "GET", path, minor=minor, query={"stdout": "false"}).body == ""
    stamped = there.ask(MEMBER, "GET", path, minor=minor, query={"timestamps": "true", "tail": "1"}).body
    assert stamped.startswith("20") and stamped.endswith(" hello\n")
    assert there.ask(MEMBER, "GET", path, minor=minor, query={"since": "4000000000"}).body == ""


@pytest.mark.parametrize("minor", [1, 24, 25, ZUNS])
def test_a_file_goes_in_and_comes_out_again(there: Ground, minor: int) -> None:
    path, packed = f"/containers/{there.part('running')}", io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(f"greeting-{minor}")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    encoded = minor >= 25
    data = base64.b64encode(packed.getvalue()).decode() if encoded else packed.getvalue().decode()
    sent = there.ask(MEMBER, "POST", f"{path}/put_archive", minor=minor, query={"path": "/tmp"}, body={"data": data})
    assert (sent.status, sent.body) == (200, None), sent
    asked = {"path": f"/tmp/greeting-{minor}"}
    got = there.ask(MEMBER, "GET", f"{path}/get_archive", minor=minor, query=asked)
    _fits(shapes.ARCHIVE, got, minor)
    assert (got.body["stat"]["name"], got.body["stat"]["size"]) == (f"greeting-{minor}", 5)
    content = base64.b64decode(got.body["data"]) if encoded else got.body["data"].encode()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        (name,) = tar.getnames()
        found = tar.extractfile(name)
        assert found is not None and found.read() == b"hello"


def test_every_console_has_a_token_of_its_own(there: Ground) -> None:
    attach = f"/containers/{there.part('terminal')}/attach"
    execute = f"/containers/{there.part('running')}/execute?command=sh&interactive=True&run=False"
    urls = [there.ask(MEMBER, "GET", attach).body for _ in range(2)]
    urls += [there.ask(MEMBER, "POST", execute).body["proxy_url"] for _ in range(2)]
    tokens = {url.partition("token=")[2].partition("&")[0] for url in urls}
    assert len(tokens) == 4


def test_an_update_is_seen_by_the_next_show(there: Ground) -> None:
    created = there.part("created")
    changed = there.ask(MEMBER, "PATCH", f"/containers/{created}", body={"memory": "24", "cpu": "0.2"})
    assert (changed.status, changed.body["memory"], changed.body["cpu"]) == (200, "24", 0.2)
    shown = there.get(f"/containers/{created}")
    assert (shown["memory"], shown["cpu"], shown["updated_at"] is not None) == ("24", 0.2, True)


def test_the_same_request_with_the_same_key_is_done_once(there: Ground) -> None:
    if there.newest < NEWEST:
        pytest.skip("Zun knows no keys")
    asked = {"registry": {"domain": "registry.invalid", "name": f"{there.mark}-once"}}
    first, second = (
        there.ask(MEMBER, "POST", "/registries", body=asked, headers={"Idempotency-Key": there.mark}) for _ in range(2)
    )
    try:
        assert second.content == first.content
        assert second.headers["idempotency-replayed"] == "true"
        other = there.ask(MEMBER, "POST", "/registries", body={}, headers={"Idempotency-Key": there.mark})
        assert (other.status, other.refusal["code"]) == (409, "container.idempotency-key-reused")
    finally:
        there.forget(MEMBER, first)


@pytest.mark.parametrize("minor", [8, ZUNS, NEWEST])
def test_a_container_leaves_and_joins_a_network(there: Ground, minor: int) -> None:
    minor, path = min(minor, there.newest), f"/containers/{there.part('walker')}"

    def addresses() -> Any:
        there.until(lambda: there.get(path)["task_state"] is None, "rest")
        return there.get(path)["addresses"]

    (network,) = before = addresses()
    left = there.ask(MEMBER, "POST", f"{path}/network_detach", minor=minor, query={"network": network})
    assert (left.status, left.body) == (202, None), left
    there.until(lambda: addresses() == {}, "the network to be left")
    again = there.ask(MEMBER, "POST", f"{path}/network_detach", minor=minor, query={"network": network})
    assert again.status == 400
    (address,) = before[network]
    asked = {"network": network, "fixed_ip": address["addr"]}
    joined = there.ask(MEMBER, "POST", f"{path}/network_attach", minor=minor, query=asked)
    assert (joined.status, joined.body) == (200, None), joined
    there.until(lambda: addresses() != {}, "the network to be joined")
    assert [one["addr"] for one in addresses()[network]] == [address["addr"]]


@pytest.mark.parametrize("minor", [1, 31, 32, ZUNS, NEWEST])
def test_a_capsule_is_made_found_and_deleted_whatever_it_is(there: Ground, minor: int) -> None:
    minor, name = min(minor, there.newest), f"{there.mark}-shop-{minor}"
    containers = [{"image": there.image, "command": LASTS}]
    template = {"kind": "capsule", "metadata": {"name": name}, "spec": {"containers": containers}}
    made = there.ask(MEMBER, "POST", "/capsules", minor=minor, body={"template": template})
    assert made.status == 202
    path = f"/capsules/{made.body['uuid']}"
    there.until(lambda: there.get(path)["status"] == "Running", "a capsule that runs")
    shown = there.ask(MEMBER, "GET", f"/capsules/{name}", minor=minor)
    _fits(shapes.CAPSULE, shown, minor)
    assert shown.body["uuid"] == made.body["uuid"]
    assert there.ask(MEMBER, "DELETE", path, minor=minor).status == 204
    there.until(lambda: there.get(path) is None, "a capsule that is gone")
