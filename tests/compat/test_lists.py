"""Lists: every one of their things once, whatever the pages, the order and the filters."""

from collections.abc import Iterator

import pytest

from tests.compat.ground import Ground
from tests.compat.table import ADMIN, MEMBER, STRANGER


def _pages(there: Ground, path: str, collection: str, who: str = MEMBER) -> Iterator[list[dict]]:
    """One page after the other, by what each says is next."""
    following: str | None = path
    while following is not None:
        answer = there.ask(who, "GET", following)
        assert answer.status == 200, answer
        body = answer.body
        yield body[collection]
        following = body["next"]
        if following is not None:
            address, _, following = following.partition("/v1")
            assert address.startswith("http"), "it is no absolute address"


def _names(there: Ground) -> list[str]:
    """Those of the containers that were made here."""
    return [one["name"] for one in there.get("/containers")["containers"] if one["name"].startswith(there.mark)]


@pytest.mark.parametrize("limit", [1, 3, 1000])
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("key", ["id", "name", "created_at"])
def test_the_pages_of_a_list_have_everything_once_and_in_order(there: Ground, key: str, order: str, limit: int) -> None:
    there.part("running")
    pages = list(_pages(there, f"/containers?limit={limit}&sort_key={key}&sort_dir={order}", "containers"))
    assert all(len(page) <= limit for page in pages)
    found = [one for page in pages for one in page]
    assert len({one["uuid"] for one in found}) == len(found)
    assert {one["name"] for one in found} >= set(_names(there))
    values = [one["created_at" if key == "id" else key] for one in found]
    assert values == sorted(values, reverse=order == "desc")


def test_no_page_leads_to_an_empty_one(there: Ground) -> None:
    if there.upstream:
        pytest.skip("A page that is just full has a `next` that leads to nothing")
    there.part("running")
    every = there.get("/containers")["containers"]
    assert all(_pages(there, f"/containers?limit={len(every)}", "containers"))


def test_a_filter_holds_on_every_page(there: Ground) -> None:
    if there.upstream:
        pytest.skip("`next` forgets filters and all_projects")
    there.part("running")
    names = [f"{there.mark}-twin", f"{there.mark}-created"]
    asked = "&".join(f"name={name}" for name in names)
    found = [one for page in _pages(there, f"/containers?{asked}&limit=1", "containers") for one in page]
    assert sorted(one["name"] for one in found) == sorted([*names, names[0]])


def test_a_filter_keeps_only_what_is_so(there: Ground) -> None:
    created = there.part("created")
    shown = there.get(f"/containers/{created}")
    for name in ("name", "image", "project_id", "user_id", "memory", "status"):
        found = there.get(f"/containers?{name}={shown[name]}")["containers"]
        assert created in [one["uuid"] for one in found]
        assert {one[name] for one in found} == {shown[name]}
    assert there.get("/containers?name=nobody-is-called-so")["containers"] == []
    assert there.get("/containers?task_state=container_stopping")["containers"] == []


def test_a_list_shows_what_a_show_shows_but_for_the_links(there: Ground) -> None:
    created = there.part("created")
    shown = there.get(f"/containers/{created}")
    (listed,) = there.get(f"/containers?name={shown['name']}")["containers"]
    assert listed == {name: value for name, value in shown.items() if name != "links"}


def test_a_project_sees_its_own_and_an_administrator_everything_if_asked(there: Ground) -> None:
    if not {STRANGER, ADMIN} <= there.parties.keys():
        pytest.skip("nobody gave the tokens of a stranger and an administrator")
    created = there.part("created")
    assert created not in [one["uuid"] for one in there.get("/containers", STRANGER)["containers"]]
    assert created not in [one["uuid"] for one in there.get("/containers", ADMIN)["containers"]]
    assert created in [one["uuid"] for one in there.get("/containers?all_projects=1", ADMIN)["containers"]]
    registry = there.part("registry")
    assert registry not in [one["uuid"] for one in there.get("/registries", ADMIN)["registries"]]
    assert registry in [one["uuid"] for one in there.get("/registries?all_projects=1", ADMIN)["registries"]]


def test_registries_come_in_pages_by_name(there: Ground) -> None:
    made = [
        there.ask(
            MEMBER,
            "POST",
            "/registries",
            body={"registry": {"domain": "registry.invalid", "name": f"{there.mark}-{letter}"}},
        )
        for letter in "cab"
    ]
    try:
        found = [
            one["name"] for page in _pages(there, "/registries?limit=2&sort_key=name", "registries") for one in page
        ]
        assert found == sorted(found) and len(found) >= 4
    finally:
        for answer in made:
            there.forget(MEMBER, answer)


def test_a_zone_is_listed_once(there: Ground) -> None:
    zones = [one["availability_zone"] for one in there.get("/availability_zones")["availability_zones"]]
    assert zones and len(set(zones)) == len(zones)
    if not there.upstream:
        # There a page as long as there are zones is a 500.
        assert there.get(f"/availability_zones?limit={len(zones)}") == {
            "availability_zones": [{"availability_zone": zone} for zone in zones],
            "next": None,
        }
