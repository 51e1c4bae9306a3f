"""Volumes and mounts over HTTP, as each kind of client asks for them."""

import base64
from typing import Any

import pytest

from higgins.api.zun.routes import ROUTES
from higgins.protocols.runtime import Bound
from tests.flow.harness import eventually
from tests.flow.town import Api, Reply, Town


async def volume(api: Api, name: str = "data", **asked: object) -> Any:
    made = await api("POST", "/volumes", {"name": name, **asked})
    assert made.status == 201, made
    return made.body


async def create(api: Api, *mounts: object, version: str = "container 1.41") -> Reply:
    return await api("POST", "/containers", {"image": "busybox", "name": "web", "mounts": mounts}, version=version)


async def there(town: Town, uuid: str) -> Any:
    """What the container sees of its host, once it is made."""
    await town.one.until(uuid, "Created")
    (bound,) = [bound for container, bound in town.cloud.runtime.bound.items() if container == uuid]
    return bound


async def test_a_volume_is_made_listed_shown_and_deleted(town: Town) -> None:
    made = await volume(town.one, size=2)
    assert {name: made[name] for name in ("name", "size", "users", "auto_remove")} == {
        "name": "data",
        "size": 2,
        "users": 0,
        "auto_remove": False,
    }
    assert (await town.one("GET", "/volumes/data")).body == made
    assert (await town.one("GET", "/volumes"))["volumes"] == [made]
    assert (await town.one("DELETE", f"/volumes/{made['uuid']}")).status == 204
    assert (await town.one("GET", "/volumes/data")).error == (404, "container.volume-not-found")


async def test_a_name_is_one_volumes(town: Town) -> None:
    await volume(town.one)
    again = await town.one("POST", "/volumes", {"name": "data"})
    assert again.error == (409, "container.volume-already-exists")
    await volume(town.two)


async def test_volumes_do_not_exist_before_their_version(town: Town) -> None:
    for method, path in (("POST", "/volumes"), ("GET", "/volumes"), ("GET", "/volumes/x"), ("DELETE", "/volumes/x")):
        reply = await town.one(method, path, {"name": "data"} if method == "POST" else None, version="container 1.40")
        assert reply.status == 406 or reply.status == 404, reply


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({}, "'name' is a required property"),
        ({"name": "x"}, "'name'"),
        ({"name": "data", "size": 0}, "'size'"),
        ({"name": "data", "size": 99999}, "'size'"),
        ({"name": "data", "size": "1G"}, "'size'"),
        ({"name": "data", "driver": "nfs"}, "'driver' was unexpected"),
    ],
)
async def test_a_bad_volume_is_refused_by_the_name_of_the_field(town: Town, asked: object, word: str) -> None:
    refused = await town.one("POST", "/volumes", asked)
    assert refused.error == (400, "container.schema-validation-error")
    assert word in refused["errors"][0]["detail"]


async def test_nobody_sees_the_volumes_of_others_but_admins(town: Town) -> None:
    made = await volume(town.one)
    for ref in (made["uuid"], "data"):
        assert (await town.two("GET", f"/volumes/{ref}")).status == 404
        assert (await town.two("DELETE", f"/volumes/{ref}")).status == 404
        assert (await create(town.two, {"source": ref, "destination": "/data"})).status == 404
    assert (await town.two("GET", "/volumes"))["volumes"] == []
    assert (await town.two("GET", "/volumes?all_projects=true")).status == 403
    assert (await town.admin("GET", "/volumes?all_projects=true"))["volumes"] == [made]
    # Not even an admin mounts another project's.
    assert (await create(town.admin, {"source": made["uuid"], "destination": "/data"})).status == 404


STRANGERS: dict[tuple[str, str], object] = {
    # Every route of volumes, as somebody of another project would try it.
    ("POST", "/volumes"): {"name": "data"},
    ("GET", "/volumes"): None,
    ("GET", "/volumes/{volume}"): None,
    ("DELETE", "/volumes/{volume}"): None,
}


def test_the_table_of_strangers_names_every_route_of_volumes() -> None:
    assert set(STRANGERS) == {(one.method, one.path) for one in ROUTES if one.path.startswith("/volumes")}


async def test_a_stranger_cannot_see_name_mount_or_delete_a_volume_by_any_route(town: Town) -> None:
    made = await volume(town.one)
    for ref in (made["uuid"], "data"):
        for (method, route), body in STRANGERS.items():
            if "{volume}" in route:
                assert (await town.two(method, route.format(volume=ref), body)).status == 404, (method, route)
    assert (await town.two(*next(iter(STRANGERS)), {"name": "data"})).status == 201
    (seen,) = (await town.two("GET", "/volumes"))["volumes"]
    assert seen["uuid"] != made["uuid"]
    assert (await town.one("GET", "/volumes"))["volumes"] == [made]


@pytest.mark.parametrize("version", ["container 1.11", "container 1.41"])
@pytest.mark.parametrize("kind", [{}, {"type": "volume"}, {"size": "3"}])
async def test_a_container_mounts_a_volume_by_name(town: Town, version: str, kind: dict[str, object]) -> None:
    made = await volume(town.one)
    asked = await create(town.one, {"source": "data", "destination": "/var//data/"} | kind, version=version)
    assert asked.status == 202, asked
    assert await there(town, asked["uuid"]) == [Bound(source=f"/volumes/{made['uuid']}", destination="/var/data")]
    (shown,) = (await town.one("GET", "/containers/web"))["mounts"]
    assert shown == {
        "type": "volume",
        "destination": "/var/data",
        "source": made["uuid"],
        "size": None,
        "read_only": False,
    }
    assert (await town.one("GET", "/volumes/data"))["users"] == 1
    refused = await town.one("DELETE", "/volumes/data")
    assert refused.error == (409, "container.volume-in-use")


@pytest.mark.parametrize("asked", [{"source": "", "size": "2"}, {"size": 2}, {"source": None, "size": "2"}])
async def test_a_size_without_a_source_is_a_new_volume_that_goes_with_the_container(
    town: Town, asked: dict[str, object]
) -> None:
    made = await create(town.one, {"destination": "/data"} | asked, version="container 1.11")
    assert made.status == 202, made
    (bound,) = await there(town, made["uuid"])
    (shown,) = (await town.one("GET", "/volumes"))["volumes"]
    assert (shown["name"], shown["size"], shown["auto_remove"]) == (None, 2, True)
    assert bound.source == f"/volumes/{shown['uuid']}"
    assert (await town.one("DELETE", "/containers/web")).status == 204
    await town.one.until(made["uuid"], None)
    assert (await town.one("GET", "/volumes"))["volumes"] == []
    await eventually(lambda: not town.cloud.mount.there)


@pytest.mark.parametrize("broken", ["", "\n"])
async def test_a_file_comes_in_base64(town: Town, broken: str) -> None:
    content = bytes(range(256))
    source = broken.join(base64.b64encode(content).decode()[place::1][:1] for place in range(344))
    made = await create(
        town.one, {"type": "bind", "source": source, "destination": "/etc/motd"}, version="container 1.23"
    )
    assert made.status == 202, made
    (bound,) = await there(town, made["uuid"])
    with open(bound.source, "rb") as file:  # noqa: ASYNC230 - a short one
        assert file.read() == content
    (shown,) = (await town.one("GET", "/containers/web"))["mounts"]
    assert (shown["type"], shown["source"]) == ("bind", None)


async def test_a_directory_in_memory_is_the_runtimes(town: Town) -> None:
    made = await create(town.one, {"type": "tmpfs", "destination": "/run", "size": 16, "read_only": True})
    assert made.status == 202, made
    assert await there(town, made["uuid"]) == []
    (shown,) = (await town.one("GET", "/containers/web"))["mounts"]
    assert shown == {"type": "tmpfs", "destination": "/run", "source": None, "size": 16, "read_only": True}


LARGE = base64.b64encode(b"x" * (64 * 1024 + 1)).decode()
MEDIUM = base64.b64encode(b"x" * 60 * 1024).decode()


@pytest.mark.parametrize(
    ("mounts", "place"),
    [
        ([{"source": "data"}], "'mounts[0].destination' is a required property"),
        ([{"destination": "/data"}], "'mounts[0]'"),
        ([{"destination": "/data", "source": ""}], "'mounts[0]'"),
        ([{"destination": "/data", "size": 0}], "'mounts[0].size'"),
        ([{"destination": "/data", "size": "1g"}], "'mounts[0].size'"),
        ([{"destination": "data", "size": 1}], "'mounts[0].destination'"),
        ([{"destination": "/a/../../b", "size": 1}], "'mounts[0].destination'"),
        ([{"destination": "//", "size": 1}], "'mounts[0].destination'"),
        ([{"destination": "/proc/1", "size": 1}], "'mounts[0].destination'"),
        ([{"destination": "/a:b", "size": 1}], "'mounts[0].destination'"),
        ([{"destination": "/data", "size": 1}, {"destination": "/data/.", "size": 1}], "'mounts[1].destination'"),
        ([{"destination": "/data", "size": 1, "type": "nfs"}], "'mounts[0].type'"),
        ([{"destination": "/data", "size": 1, "mode": "z"}], "'mounts[0].mode' was unexpected"),
        ([{"destination": "/f", "type": "bind"}], "'mounts[0].source'"),
        ([{"destination": "/f", "type": "bind", "source": "no base64!"}], "'mounts[0].source'"),
        ([{"destination": "/f", "type": "bind", "source": LARGE}], "'mounts[0].source'"),
        ([{"destination": f"/f{n}", "type": "bind", "source": MEDIUM} for n in range(5)], "'mounts'"),
        ([{"destination": "/f", "type": "tmpfs", "source": "x"}], "'mounts[0].source'"),
        ([{"destination": f"/f{n}", "size": 1} for n in range(65)], "'mounts'"),
    ],
)
async def test_a_bad_mount_is_refused_with_its_place_and_leaves_nothing(town: Town, mounts: Any, place: str) -> None:
    refused = await create(town.one, *mounts)
    assert refused.status == 400, refused
    assert place in refused["errors"][0]["detail"]
    assert (await town.one("GET", "/volumes"))["volumes"] == []


@pytest.mark.parametrize("new", [{"type": "tmpfs"}, {"size": 1, "read_only": True}])
async def test_what_is_ours_exists_from_our_version_on(town: Town, new: dict[str, object]) -> None:
    refused = await create(town.one, {"destination": "/data"} | new, version="container 1.40")
    assert refused.status == 400
    assert "exists from version 1.41 on" in refused["errors"][0]["detail"]


async def test_an_unknown_volume_is_not_found_and_leaves_nothing(town: Town) -> None:
    refused = await create(town.one, {"size": 1, "destination": "/a"}, {"source": "no-such", "destination": "/b"})
    assert refused.error == (404, "container.volume-not-found")
    assert (await town.one("GET", "/containers"))["containers"] == []
    assert (await town.one("GET", "/volumes"))["volumes"] == []


async def test_a_dry_run_makes_no_volume(town: Town) -> None:
    await town.one.run("first", "sleep", "inf")
    asked = {"image": "busybox", "dry_run": True, "mounts": [{"size": 1, "destination": "/data"}]}
    told = await town.one("POST", "/containers", asked)
    assert told["fits"], told
    assert (await town.one("GET", "/volumes"))["volumes"] == []


async def test_containers_of_a_capsule_share_its_volumes(town: Town) -> None:
    made = await volume(town.one)
    template = {
        "kind": "capsule",
        "metadata": {},
        "spec": {
            "containers": [
                {
                    "image": "busybox",
                    "command": ["sleep", "inf"],
                    "volumeMounts": [
                        {"name": "given", "mountPath": "/given"},
                        {"name": "new", "mountPath": "/new", "readOnly": True},
                    ],
                },
                {
                    "image": "busybox",
                    "command": ["sleep", "inf"],
                    "volumeMounts": [{"name": "new", "mountPath": "/n"}],
                },
            ],
            "volumes": [
                {"name": "given", "cinder": {"volumeID": made["uuid"]}},
                {"name": "new", "cinder": {"size": 1, "autoRemove": True}},
            ],
        },
    }
    asked = await town.one("POST", "/capsules", {"template": template})
    assert asked.status == 202, asked
    reply = await town.one("GET", f"/capsules/{asked['uuid']}?wait=Running&timeout=5")
    assert reply["status"] == "Running", reply
    bound = [each for each in town.cloud.runtime.bound.values() if each]
    assert [one.destination for each in bound for one in each] == ["/given", "/new", "/n"]
    assert bound[0][1].source == bound[1][0].source
    assert (await town.one("DELETE", f"/capsules/{asked['uuid']}")).status == 204
    await eventually(lambda: set(town.cloud.mount.there) == {made["uuid"]})


@pytest.mark.parametrize(
    ("volumes", "mounted"),
    [
        ([{"name": "v", "cinder": {"size": 1}}], None),
        ([{"name": "v", "cinder": {"size": 1, "volumeID": "x"}}], "v"),
        ([{"name": "v", "cinder": {}}], "v"),
        ([{"name": "v", "cinder": {"size": 1}}], "w"),
        ([{"name": "v", "cinder": {"size": 1}}, {"name": "v", "cinder": {"size": 1}}], "v"),
    ],
)
async def test_a_template_whose_volumes_contradict_themselves_is_refused(
    town: Town, volumes: Any, mounted: str | None
) -> None:
    mounts = [{"name": mounted, "mountPath": "/v"}] if mounted else []
    spec = {"containers": [{"image": "busybox", "volumeMounts": mounts}], "volumes": volumes}
    refused = await town.one("POST", "/capsules", {"template": {"kind": "capsule", "metadata": {}, "spec": spec}})
    assert refused.error == (400, "container.schema-validation-error"), refused
    assert (await town.one("GET", "/volumes"))["volumes"] == []
