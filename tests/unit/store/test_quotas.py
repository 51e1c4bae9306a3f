"""What a project has is counted where it is written, and its limits are heeded there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

import higgins.store
from higgins import errors
from higgins.logic.quota import counted
from higgins.model.capsule import Capsule, CapsuleStatus, Desired, Former, Resources
from higgins.model.ids import ProjectId
from higgins.model.quota import Limits, Overrides, Usage
from higgins.store import capsules, quotas, schema
from higgins.store.database import Connection, Database
from higgins.testing.builders import capsule, container, spec, status

P1, P2 = ProjectId("p1"), ProjectId("p2")
CONFIGURED = Limits(containers=40, memory=51200, cpu=20, disk=100)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path_factory.mktemp('quotas')}/higgins.sqlite")
    schema.upgrade(made)
    yield made
    made.engine.dispose()


@pytest.fixture
def db(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection, connection.begin() as all_of_it:
        yield connection
        all_of_it.rollback()


def asked(**limits: Any) -> Capsule:
    return capsule(spec(container(limits=Resources(**limits))))


def used(db: Connection, project: ProjectId = P1) -> Usage:
    return quotas.of(db, project, Limits()).used


def test_a_limit_of_its_own_goes_before_that_of_the_class_and_that_before_the_configured_one(db: Connection) -> None:
    assert quotas.of(db, P1, CONFIGURED).limits == CONFIGURED
    quotas.write_class(db, "default", Overrides(containers=10, memory=1024))
    quotas.write(db, P1, Overrides(containers=-1))
    assert quotas.of(db, P1, CONFIGURED).limits == replace(CONFIGURED, containers=-1, memory=1024)
    assert quotas.of(db, P2, CONFIGURED).limits == replace(CONFIGURED, containers=10, memory=1024)
    quotas.forget(db, P1)
    assert quotas.of(db, P1, CONFIGURED).limits == quotas.of(db, P2, CONFIGURED).limits


def test_a_class_of_another_name_holds_for_nobody(db: Connection) -> None:
    quotas.write_class(db, "gold", Overrides(cpu=0))
    assert quotas.of_class(db, "gold", CONFIGURED) == replace(CONFIGURED, cpu=0)
    assert quotas.of_class(db, "default", CONFIGURED) == quotas.of(db, P1, CONFIGURED).limits == CONFIGURED


def test_to_forget_limits_forgets_nothing_that_is_there(db: Connection) -> None:
    capsules.insert(db, asked(memory=64), deadline=1.0)
    quotas.write(db, P1, Overrides(memory=64))
    quotas.forget(db, P1)
    quotas.forget(db, P2)
    assert used(db) == Usage(containers=1, memory=64)


def test_what_does_not_fit_is_not_written(db: Connection) -> None:
    quotas.write(db, P1, Overrides(memory=100))
    capsules.insert(db, asked(memory=60), deadline=1.0, within=CONFIGURED)
    with pytest.raises(errors.Forbidden, match=r"^Quota exceeded for resources: \['memory'\]") as refused:
        with db.begin_nested():
            capsules.insert(db, asked(memory=41), deadline=1.0, within=CONFIGURED)
    assert refused.value.name == "over-quota"
    assert used(db) == Usage(containers=1, memory=60)
    capsules.insert(db, asked(memory=40), deadline=1.0, within=CONFIGURED)
    assert used(db) == Usage(containers=2, memory=100)


def test_cores_add_up_to_exactly_what_they_are(db: Connection) -> None:
    quotas.write(db, P1, Overrides(cpu=1))
    for _ in range(10):
        capsules.insert(db, asked(cpu=0.1), deadline=1.0, within=CONFIGURED)
    assert used(db).microcores == 1_000_000
    with pytest.raises(errors.Forbidden, match=r"\['cpu'\]"):
        capsules.insert(db, asked(cpu=0.1), deadline=1.0, within=CONFIGURED)


def test_who_has_more_than_the_limit_keeps_it_and_gets_no_more(db: Connection) -> None:
    one = asked(memory=512)
    capsules.insert(db, one, deadline=1.0, within=CONFIGURED)
    quotas.write(db, P1, Overrides(memory=100, containers=0))
    less = replace(one.spec, containers=(replace(one.spec.containers[0], limits=Resources(memory=256)),))
    one = capsules.write_spec(db, one, less, deadline=1.0, now=1.0, within=CONFIGURED)
    one = capsules.write_spec(db, one, one.spec, deadline=1.0, now=1.0, within=CONFIGURED)
    more = replace(less, containers=(replace(less.containers[0], limits=Resources(memory=257)),))
    with pytest.raises(errors.Forbidden, match=r"\['memory'\]"):
        capsules.write_spec(db, one, more, deadline=1.0, now=1.0, within=CONFIGURED)


AMOUNTS = st.builds(
    Resources, cpu=st.sampled_from([0.0, 0.1, 0.3, 1.7]), memory=st.integers(0, 512), disk=st.integers(0, 9)
)
DEEDS = st.lists(st.tuples(st.sampled_from(["create", "change", "settle", "delete"]), AMOUNTS, st.integers(0, 9)))


@settings(max_examples=60, deadline=None)
@given(deeds=DEEDS)
def test_whatever_is_done_the_sums_are_what_there_is(
    database: Database, deeds: list[tuple[str, Resources, int]]
) -> None:
    limits = Limits(containers=4, memory=1024, cpu=3, disk=20)
    there: dict[str, Capsule] = {}
    with database.engine.connect() as db, db.begin() as all_of_it:
        for deed, amounts, which in deeds:
            one = list(there.values())[which % len(there)] if there else None
            try:
                with db.begin_nested():
                    made = _done(db, deed, amounts, one, limits)
            except errors.Forbidden:
                continue
            if one is not None and made is None:
                del there[one.id]
            if made is not None:
                there[made.id] = made
            assert used(db) == sum((counted(each) for each in there.values()), Usage())
            assert len(there) <= 4 and used(db).microcores <= 3_000_000
        all_of_it.rollback()


def _done(db: Connection, deed: str, amounts: Resources, one: Capsule | None, limits: Limits) -> Capsule | None:
    match deed, one:
        case "create", _:
            made = capsule(spec(container(limits=amounts)))
            capsules.insert(db, made, deadline=1.0, within=limits)
            return made
        case "change", Capsule(spec=now):
            former = Former(desired=now.desired, restarts=0, rebuilds=0, image="busybox", limits=_former(one))
            wanted = replace(now, containers=(replace(now.containers[0], limits=amounts),), former=former)
            return capsules.write_spec(db, one, wanted, deadline=1.0, now=1.0, within=limits)
        case "settle", Capsule():
            return capsules.write_assignment(db, one, one.assignment, status=status(one.spec), close=True)
        case "delete", Capsule():
            going = replace(one.spec, desired=Desired.DELETED, former=None)
            assert capsules.delete(db, capsules.write_spec(db, one, going, deadline=1.0, now=1.0))
            # Who comes second finds nothing to release.
            assert not capsules.delete(db, one)
            return None
        case _:
            return one


def _former(one: Capsule) -> Resources:
    pending = one.spec.former if not one.acted_on else None
    return pending.limits if pending else one.spec.containers[0].limits


def test_what_was_there_before_there_were_quotas_counts(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/higgins.sqlite")
    schema.upgrade(database)
    large, small = asked(cpu=0.3, memory=512, disk=3), asked(cpu=0.1, memory=64)
    former = Former(desired=Desired.RUNNING, restarts=0, rebuilds=0, image="busybox", limits=Resources(memory=100))
    pending, done = (replace(one, spec=replace(small.spec, former=former)) for one in (asked(), asked()))
    done = replace(done, status=CapsuleStatus(generation=1, settled=True))

    def fill(db: Connection) -> None:
        for one in (large, pending, done, replace(asked(), project_id=P2)):
            capsules.insert(db, one, deadline=1.0)

    def walk(db: Connection) -> tuple[Usage, Usage]:
        config = Config()
        config.set_main_option("script_location", str(Path(higgins.store.__file__).parent / "migrations"))
        config.attributes["connection"] = db
        before = used(db), used(db, P2)
        command.downgrade(config, "0003")
        command.upgrade(config, "head")
        assert (used(db), used(db, P2)) == before
        return before

    database.write_now(fill)
    mine, theirs = database.write_now(walk)
    assert mine == Usage(containers=3, memory=512 + 100 + 64, disk=3, microcores=500_000)
    assert theirs == Usage(containers=1)
    database.engine.dispose()
