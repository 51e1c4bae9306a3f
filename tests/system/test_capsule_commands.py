"""`higgins capsule` as scripts use it: Pods and templates, over the public API of a real all-in-one."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.system.engine import BUSYBOX as IMAGE
from tests.system.servers import Login
from tests.system.tenant import Tenant

STAYS = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]
"""Until it is asked to end."""


@pytest.fixture(scope="module")
def tenant(member: Login, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    return Tenant(tmp_path_factory.mktemp("home"), member.environment)


@pytest.fixture(scope="module")
def shop(tenant: Tenant) -> Iterator[str]:
    """The name of a capsule that runs."""
    tenant.types("capsule", "apply", "-f", "-", said=pod("shop", [container("setup", "true")]))
    yield "shop"
    tenant.types("capsule", "rm", "shop")


def container(name: str, script: str | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": IMAGE, "args": ["sh", "-c", script] if script else STAYS, **more}


def pod(name: str, init: list[dict[str, Any]] | None = None, **spec: Any) -> bytes:
    """Two containers that stay, as Kubernetes would have them."""
    said = {"initContainers": init or [], "containers": [container("web"), container("side")], **spec}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": said}).encode() + b"\n"


def capsules(tenant: Tenant) -> list[str]:
    return tenant.types("capsule", "ls", "-o", "name").split()


def test_a_pod_runs_as_a_capsule_and_is_shown_with_its_containers(tenant: Tenant, shop: str) -> None:
    (listed,) = [one for one in tenant.sees("capsule", "ls") if one["name"] == shop]
    assert listed["status"] == "Running"
    assert re.search(rf"^{listed['uuid'][:8]}  shop +2 of 2 .* Up ", tenant.types("capsule", "ls"), re.MULTILINE)
    assert listed["uuid"][:8] in tenant.types("capsule", "ls", "-q").split()
    for word in (shop, listed["uuid"], listed["uuid"][:8]):
        assert tenant.sees("capsule", "show", word)["uuid"] == listed["uuid"]
    shown = tenant.types("capsule", "show", shop)
    assert re.search(r"^setup +init .* Exited \(0\)", shown, re.MULTILINE)
    assert re.search(r"^web +\S+ +Up ", shown, re.MULTILINE)
    assert yaml.safe_load(tenant.types("capsule", "show", shop, "-o", "yaml"))["name"] == shop


def test_a_name_that_is_taken_is_refused_with_what_to_do(tenant: Tenant, shop: str) -> None:
    said = tenant.fails("capsule", "apply", "-f", "-", said=pod("other") + b"---\n" + pod(shop))
    assert "there is a capsule shop already, and a capsule cannot be changed" in said
    assert "higgins capsule rm shop" in said
    assert "called twin" in tenant.fails("capsule", "apply", "-f", "-", said=pod("twin") + b"---\n" + pod("twin"))
    assert capsules(tenant) == [shop]


def test_a_name_that_nobody_has_is_answered_with_those_that_are_near(tenant: Tenant, shop: str) -> None:
    assert "Did you mean shop?" in tenant.fails("capsule", "show", "shopp")
    assert "Did you mean shop?" in tenant.fails("capsule", "rm", "shopp")


def test_capsules_are_completed(tenant: Tenant, shop: str) -> None:
    asked = {"_HIGGINS_COMPLETE": "bash_complete", "COMP_WORDS": "higgins capsule rm sh", "COMP_CWORD": "3"}
    tenant.environment.update(asked)
    try:
        assert tenant.types() == "plain,shop\n"
    finally:
        for name in asked:
            del tenant.environment[name]


def test_what_its_init_container_ends_with_is_told(tenant: Tenant) -> None:
    said = tenant.fails(
        "capsule", "apply", "-f", "-", said=pod("bad", [container("setup", "exit 3")], restartPolicy="Never")
    )
    assert re.search("higgins: bad: .*setup ended with exit code 3", said)
    assert "higgins capsule rm bad" in said
    assert "Error: " in tenant.types("capsule", "ls")
    tenant.types("capsule", "rm", "bad")
    assert "bad" not in capsules(tenant)


def test_templates_in_several_documents_are_made_and_removed_together(tenant: Tenant) -> None:
    template = {"kind": "capsule", "metadata": {}, "spec": {"containers": [{"image": IMAGE, "command": STAYS}]}}
    (tenant.home / "one.json").write_text(json.dumps({**template, "metadata": {"name": "one"}}))
    (tenant.home / "two.yaml").write_text(yaml.safe_dump_all([template, {**template, "metadata": {"name": "three"}}]))
    made = tenant.types("capsule", "apply", "-f", "one.json", "-f", "two.yaml").split()
    found = {one["uuid"]: one for one in tenant.sees("capsule", "ls") if one["uuid"] in made}
    assert [(found[one]["name"], found[one]["status"]) for one in made] == [
        ("one", "Running"),
        (None, "Running"),
        ("three", "Running"),
    ]
    assert tenant.types("capsule", "rm", "one", made[1][:8], "three").split() == ["one", made[1][:8], "three"]
    assert not set(made) & {one["uuid"] for one in tenant.sees("capsule", "ls")}


def test_one_that_is_refused_does_not_keep_the_others(tenant: Tenant) -> None:
    wrong = b"kind: capsule\nmetadata: {name: wrong}\nspec: {containers: [{image: 5}]}\n"
    ran = tenant.tries("capsule", "apply", "-d", "-f", "-", said=wrong + b"---\n" + pod("right"))
    assert ran.status == 1 and "template.spec.containers[0].image" in ran.err
    assert tenant.sees("capsule", "show", "right")["uuid"] == ran.said.strip()
    tenant.types("capsule", "rm", "right")


def test_a_pod_as_a_cluster_tells_it_runs_without_what_is_not_offered(tenant: Tenant) -> None:
    told = pod(
        "exported",
        volumes=[{"name": "token", "projected": {"sources": []}}],
        nodeName="node-1",
        dnsPolicy="ClusterFirst",
    )
    assert "spec.nodeName: not offered" in tenant.fails("capsule", "apply", "-f", "-", said=told)
    ran = tenant.tries("capsule", "apply", "--ignore-unsupported", "-f", "-", said=told)
    assert ran.status == 0
    assert "spec.volumes[0].projected: left aside" in ran.err and "spec.dnsPolicy: makes no difference" in ran.err
    tenant.types("capsule", "rm", "exported")


def test_who_may_not_say_when_images_are_fetched_is_told_what_to_leave_out(tenant: Tenant) -> None:
    asked = pod("pulling", containers=[container("web", imagePullPolicy="IfNotPresent")])
    assert "take imagePullPolicy out" in tenant.fails("capsule", "apply", "-f", "-", said=asked)


def test_interrupted_while_it_waits_it_removes_what_it_made(tenant: Tenant) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gone = f"127.0.0.1:{closed.getsockname()[1]}/nothing:1"
    waits = pod("waits", containers=[{"name": "web", "image": gone}])
    (tenant.home / "waits.yaml").write_bytes(waits)
    ran = tenant.interrupts("capsule", "apply", "-f", "waits.yaml", after=b"waits: trying again")
    assert (ran.status, ran.out) == (130, b"")
    assert "Interrupted: waits" in ran.err
    tenant.tries("capsule", "rm", "waits")  # Returns when it is gone, and complains if that was long ago.
    assert "waits" not in capsules(tenant)
