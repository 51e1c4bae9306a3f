"""What is spliced from memory is what would have been written anew, byte for byte, whatever is shown to whomever."""

import asyncio
import itertools
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from higgins.aio.beside import beside
from higgins.api.zun import views
from higgins.api.zun.faces import Faces
from higgins.api.zun.microversion import MAX, MIN, OURS, Version
from higgins.logic import access, documents
from higgins.logic.sealed import Sealed
from higgins.model.capsule import Capsule, Container, ContainerStatus, Stage
from higgins.model.ids import CapsuleId, ContainerId, ProjectId, UserId
from higgins.model.query import Part, Query
from higgins.testing import builders

ADMINS = frozenset({"host", "runtime", "privileged", "image_pull_policy"})
ID = "0bb92283-1111-4222-8333-444455556666"
encode = msgspec.json.encode


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a kind that the model has, every field of it: one that is added tomorrow as well."""
    plain = {
        str: st.text(max_size=6),
        int: st.integers(0, 2**31),
        float: st.floats(0, 4e9),
        bool: st.booleans(),
        types.NoneType: st.none(),
    }
    kind = getattr(kind, "__supertype__", kind)
    if kind in plain:
        return plain[kind]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(
            cast(Callable[..., Any], kind), **{each.name: any_of(hints[each.name]) for each in fields(kind)}
        )
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, Union):
        return st.one_of(*map(any_of, inner))
    if origin is tuple:
        return st.lists(any_of(inner[0]), max_size=2).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(any_of(inner[0]), any_of(inner[1]), max_size=2)
    assert issubclass(kind, Enum), kind
    return st.sampled_from(kind)


CAPSULES, CONTAINERS, KNOWN = any_of(Capsule), any_of(Container), any_of(ContainerStatus)


@st.composite
def capsules(draw: st.DrawFn) -> Capsule:
    """All with the same id, as one container in the course of its life."""
    drawn: Capsule = draw(CAPSULES)
    container: Container = replace(draw(CONTAINERS), id=ContainerId(ID))
    known: dict[ContainerId, ContainerStatus] = {container.id: draw(KNOWN)} if draw(st.booleans()) else {}
    return replace(
        drawn,
        id=CapsuleId(ID),
        spec=replace(drawn.spec, containers=(container,)),
        status=replace(drawn.status, containers=known),
    )


def seal(capsule: Capsule) -> Sealed:
    """As the database has it."""
    return Sealed(
        id=capsule.id,
        project_id=capsule.project_id,
        user_id=capsule.user_id,
        name=capsule.name,
        kind=capsule.kind.value,
        created_at=capsule.created_at,
        updated_at=capsule.updated_at,
        deadline=capsule.deadline,
        revision=next(revisions),
        spec=documents.encode(capsule.spec).decode(),
        assignment=documents.encode(capsule.assignment).decode(),
        status=documents.encode(capsule.status).decode(),
        host=capsule.host,
    )


versions = st.sampled_from([MIN, Version(1, 40), OURS, MAX])
readers = st.sampled_from([frozenset(), ADMINS]) | st.frozensets(st.sampled_from(sorted(access.FIELDS)), max_size=5)
moments = st.lists(st.floats(0, 5e9), min_size=1, max_size=3)
lasting = Faces(most=10_000)
"""One for all examples: whatever it remembers of one must not be shown for another."""
revisions = itertools.count()


@given(capsules(), readers, versions, moments, st.sampled_from(["http://HOST", 'https://h/"x"']))
def test_a_container_is_shown_as_it_would_be_without_memory(capsule, withheld, version, moments, address):
    sealed, hidden = seal(capsule), views.withheld(withheld, version)
    for now in moments:
        plain = encode(views.container(sealed.open(), now=now, hidden=hidden, address=address))
        assert lasting.one(sealed, now=now, hidden=hidden, address=address) == plain


@given(st.lists(capsules(), max_size=3), readers, versions, moments, st.booleans())
async def test_a_list_is_shown_as_it_would_be_without_memory(found, withheld, version, moments, more):
    rows, hidden = tuple(map(seal, found)), views.withheld(withheld, version)
    query = Query(filters={"name": ("a b",)})
    last = rows[-1].id if rows and more else None
    for now in moments:
        plain = views.ContainerList(
            [views.container(one.open(), now=now, hidden=hidden) for one in rows],
            views.following(query, last, "http://HOST"),
        )
        page = Part(
            items=tuple(lasting.recall(one.id, one.revision, lambda *_: hidden) or one for one in rows), more=more
        )
        shown = await lasting.page(page, query, now=now, hidden=lambda *_: hidden, address="http://HOST")
        assert shown == encode(plain)


async def test_a_long_list_that_nobody_has_looked_at_lets_others_be_answered_in_between():
    rows = tuple(seal(_running(id=CapsuleId(f"c{number}"))) for number in range(300))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with beside() as start:
        start(others())
        page = Part(items=rows, more=False)
        await Faces().page(page, Query(), now=1e9, hidden=lambda *_: frozenset(), address="http://HOST")
    assert turns >= 4


def _running(**said: Any) -> Capsule:
    wanted = builders.spec()
    return builders.capsule(wanted, status=builders.status(wanted, Stage.RUNNING), **said)


def _said(faces: Faces, capsule: Capsule, now: float) -> str:
    shown = faces.one(seal(capsule), now=now, hidden=frozenset(), address="http://HOST")
    detail: str = msgspec.json.decode(shown)["status_detail"]
    return detail


def test_an_age_grows_though_nothing_is_written_down():
    faces, capsule = Faces(), _running()
    assert [_said(faces, capsule, 1e9 + age) for age in (0, 59, 60, 7200, -5)] == [
        "Up 0 seconds",
        "Up 59 seconds",
        "Up 1 mins",
        "Up 2 hours",
        "Up 0 seconds",
    ]


def _recalled(faces: Faces, sealed: Sealed, hidden: frozenset[str] = frozenset()) -> bool:
    return faces.recall(sealed.id, sealed.revision, lambda *_: hidden) is not None


def _look(faces: Faces, sealed: Sealed, hidden: frozenset[str] = frozenset()) -> None:
    faces.one(sealed, now=1e9, hidden=hidden, address="http://HOST")


def test_what_was_looked_at_is_remembered_for_those_who_see_the_same_and_until_it_changes():
    faces, sealed = Faces(), seal(_running())
    _look(faces, sealed)
    assert _recalled(faces, sealed)
    assert not _recalled(faces, sealed, ADMINS)
    _look(faces, sealed, ADMINS)
    assert _recalled(faces, sealed) and _recalled(faces, sealed, ADMINS)
    assert not _recalled(faces, sealed._replace(revision=-1))
    _look(faces, sealed._replace(revision=-1))
    assert not _recalled(faces, sealed._replace(revision=-1), ADMINS)
    assert not _recalled(faces, sealed)


def test_what_is_hidden_depends_on_whose_it_is():
    faces, sealed = Faces(), seal(_running(project_id=ProjectId("p2"), user_id=UserId("u2")))
    _look(faces, sealed, ADMINS)
    asked = []

    def hidden(project: ProjectId, user: UserId) -> frozenset[str]:
        asked.append((project, user))
        return ADMINS

    assert faces.recall(sealed.id, sealed.revision, hidden) is not None
    assert asked == [("p2", "u2")]


def test_where_a_face_could_not_be_cut_nothing_is_remembered():
    faces, sealed = Faces(), seal(_running())
    for name in ("uuid", "links", "status_detail"):
        _look(faces, sealed, frozenset({name}))
        assert not _recalled(faces, sealed, frozenset({name}))
    assert faces.size == 0


def test_what_is_remembered_stays_within_its_bytes_and_the_newest_of_it_is_there():
    small, large = builders.container(name="s"), builders.container(name="l", environment={"A": "x" * 40_000})
    faces = Faces(most=100_000)
    for number in range(300):
        sealed = seal(builders.capsule(builders.spec(large if number % 7 == 0 else small), name=f"c{number}"))
        for hidden in (frozenset[str](), ADMINS):
            _look(faces, sealed, hidden)
            assert 0 < faces.size <= 100_000
            assert _recalled(faces, sealed, hidden)


def test_a_container_that_changes_takes_the_place_of_what_it_was():
    faces, capsule = Faces(), _running()
    _look(faces, seal(capsule))
    before = faces.size
    for _ in range(5):
        _look(faces, seal(capsule))
    assert faces.size == before


def test_what_is_larger_than_all_that_may_be_remembered_is_shown_all_the_same():
    faces = Faces(most=10)
    assert _said(faces, _running(), 1e9 + 5) == "Up 5 seconds"
    assert faces.size == 0
