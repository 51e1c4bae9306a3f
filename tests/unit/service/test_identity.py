"""Logging in, what a token stands for and when it ends, application credentials."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from higgins import errors
from higgins.model.identity import ById, ByName, Scope
from higgins.service.accounts import Accounts
from higgins.service.identity import LocalIdentity
from higgins.service.passwords import HASHER
from higgins.store import identity as store
from higgins.store.database import Database
from higgins.store.tables import metadata

ANN = ByName("ann")


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class CountingDatabase(Database):
    """Tells how often it was read."""

    reads = 0

    async def read(self, work):
        self.reads += 1
        return await super().read(work)


class NotingHasher(PasswordHasher):
    """Ours, noting what work it has with whom."""

    def __init__(self) -> None:
        super().__init__(HASHER.time_cost, HASHER.memory_cost, HASHER.parallelism)
        self.work: list[tuple[str, Parameters]] = []

    def hash(self, password, **kinds):
        made = super().hash(password, **kinds)
        self.work.append(("hash", extract_parameters(made)))
        return made

    def verify(self, hash, password):
        self.work.append(("verify", extract_parameters(hash)))
        return super().verify(hash, password)


@dataclass
class House:
    """Ann, who is a member of the project web, and a way to look at the same database from another process."""

    database: CountingDatabase
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.database, clock=self.clock)
        self.identity = self.another_process()

    def another_process(self, hasher: PasswordHasher = HASHER) -> LocalIdentity:
        return LocalIdentity(self.database, token_lifetime=3600, remembered=5, clock=self.clock, hasher=hasher)

    async def log_in(self, scope=Scope.DEFAULT) -> str:
        return (await self.identity.log_in(ANN, "secret", scope)).secret


@pytest.fixture
async def house(tmp_path: Path):
    database = CountingDatabase(f"sqlite:///{tmp_path}/higgins.sqlite")
    metadata.create_all(database.engine)
    database.open()
    try:
        house = House(database)
        await house.accounts.create_user("Ann", "secret")
        await house.accounts.create_project("web")
        await house.accounts.grant("ann", "web", "member")
        yield house
    finally:
        database.close()


async def test_a_token_stands_for_its_user_in_a_project_with_implied_roles(house):
    caller = await house.identity.caller(await house.log_in())
    assert caller.user_id == (await house.accounts.user("ann")).id
    assert caller.project_id == (await house.accounts.project("web")).id
    assert caller.roles == {"member", "reader"}


async def test_the_password_and_the_token_are_nowhere_in_the_database(house):
    secret = await house.log_in()
    for file in Path(house.database.name).parent.iterdir():
        content = file.read_bytes()
        assert secret.encode() not in content
        assert b"secret\x00" not in content


@pytest.mark.parametrize("user", [ANN, ByName("nobody"), ById("nobody")])
async def test_an_unknown_user_and_a_wrong_password_are_told_alike(house, user):
    with pytest.raises(errors.Unauthenticated) as refusal:
        await house.identity.log_in(user, "wrong")
    assert refusal.value.message == "The user name, password or secret is wrong."


async def test_an_unknown_user_is_as_much_work_as_a_wrong_password(house):
    async def work(name: str) -> list[tuple[str, Parameters]]:
        hasher = NotingHasher()
        identity = house.another_process(hasher)
        for _ in range(2):
            with pytest.raises(errors.Unauthenticated):
                await identity.log_in(ByName(name), "wrong")
        return hasher.work

    usual = extract_parameters(HASHER.hash(""))
    assert await work("nobody") == await work("ann") == [("hash", usual), ("verify", usual), ("verify", usual)]


async def test_who_is_disabled_cannot_log_in_and_is_told_the_same(house):
    token = await house.log_in()
    await house.accounts.set_enabled("ann", enabled=False)
    with pytest.raises(errors.Unauthenticated, match="password or secret is wrong"):
        await house.log_in()
    with pytest.raises(errors.Unauthenticated):
        await house.another_process().caller(token)
    await house.accounts.set_enabled("ann", enabled=True)
    await house.log_in()


async def test_guessing_is_slowed_down_and_the_real_user_gets_in_after_a_moment(house):
    for _ in range(5):
        with pytest.raises(errors.Unauthenticated, match="is wrong"):
            await house.identity.log_in(ANN, "guess")
    with pytest.raises(errors.Unauthenticated, match="Too many failed logins") as refusal:
        await house.log_in()
    assert refusal.value.retry_after is not None
    assert 0 < refusal.value.retry_after <= 1
    await asyncio.sleep(refusal.value.retry_after)
    await house.log_in()
    with pytest.raises(errors.Unauthenticated, match="is wrong"):
        await house.identity.log_in(ANN, "guess")


async def test_guesses_sent_all_at_once_are_slowed_down_as_well(house):
    async def guess() -> str:
        with pytest.raises(errors.Unauthenticated) as refusal:
            await house.identity.log_in(ANN, "guess")
        return refusal.value.message

    async with asyncio.TaskGroup() as group:
        guesses = [group.create_task(guess()) for _ in range(30)]
    assert sum("is wrong" in guess.result() for guess in guesses) <= 6


async def test_logins_with_the_right_password_are_never_slowed_down(house):
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(house.log_in())


async def test_a_token_ends_with_its_time(house):
    token = await house.log_in()
    house.clock.now += 3599
    await house.identity.caller(token)
    house.clock.now += 1
    with pytest.raises(errors.Unauthenticated):
        await house.identity.caller(token)


async def test_ended_tokens_leave_the_database(house):
    await house.log_in()
    house.clock.now += 3601
    await house.log_in()
    assert await house.database.read(lambda db: len(db.execute(store.tokens.select()).all())) == 1


async def test_a_logout_counts_at_once(house):
    token = await house.log_in()
    await house.identity.caller(token)
    await house.identity.log_out(token)
    with pytest.raises(errors.Unauthenticated):
        await house.identity.caller(token)


async def change_password(house: House) -> None:
    await house.accounts.set_password("ann", "other")


async def lose_grant(house: House) -> None:
    await house.accounts.revoke("ann", "web", "member")


async def be_disabled(house: House) -> None:
    await house.accounts.set_enabled("ann", enabled=False)


async def be_deleted(house: House) -> None:
    await house.accounts.delete_user("ann")


async def lose_project(house: House) -> None:
    await house.accounts.delete_project("web")


@pytest.mark.parametrize("event", [change_password, lose_grant, be_disabled, be_deleted, lose_project])
async def test_what_a_token_rests_on_takes_it_along_at_once_or_where_it_is_remembered_within_seconds(house, event):
    token = await house.log_in()
    await house.identity.caller(token)
    await event(house)
    with pytest.raises(errors.Unauthenticated):
        await house.another_process().caller(token)
    house.clock.now += 5
    with pytest.raises(errors.Unauthenticated):
        await house.identity.caller(token)


async def test_a_role_granted_later_counts_from_the_next_login(house):
    await house.accounts.grant("ann", "web", "admin")
    assert "admin" in (await house.identity.caller(await house.log_in())).roles


async def test_many_requests_with_one_token_ask_the_database_once(house):
    token = await house.log_in()
    before = house.database.reads
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(house.identity.caller(token))
    assert house.database.reads == before + 1


async def test_who_gives_up_waiting_does_not_spoil_it_for_the_others(house):
    token = await house.log_in()
    async with asyncio.TaskGroup() as group:
        first, *others = [group.create_task(house.identity.caller(token)) for _ in range(5)]
        await asyncio.sleep(0)
        first.cancel()
    assert first.cancelled()
    assert all(other.result().roles for other in others)


@pytest.mark.parametrize("secret", ["", "nonsense", "\udcff"])
async def test_what_is_no_token_is_refused(house, secret):
    with pytest.raises(errors.Unauthenticated):
        await house.identity.caller(secret)


async def test_without_a_project_a_token_is_good_for_none(house):
    token = await house.log_in(Scope.NONE)
    assert (await house.identity.token(token)).roles == set()
    with pytest.raises(errors.Unauthenticated, match="OS_PROJECT_NAME"):
        await house.identity.caller(token)


async def test_the_only_project_is_the_default_and_of_several_one_must_be_named(house):
    assert (await house.identity.token(await house.log_in())).project.name == "web"
    await house.accounts.create_project("shop")
    await house.accounts.grant("ann", "shop", "reader")
    assert (await house.identity.token(await house.log_in())).project is None
    assert (await house.identity.token(await house.log_in(ByName("Shop")))).roles == {"reader"}


async def test_a_project_of_others_and_none_at_all_are_told_alike(house):
    await house.accounts.create_project("theirs")
    for name in ("theirs", "absent"):
        with pytest.raises(errors.Unauthenticated) as refusal:
            await house.log_in(ByName(name))
        assert refusal.value.message == f"The user Ann has no role in a project {name}."


async def test_a_token_exchanged_for_another_gains_no_time(house):
    first = await house.identity.log_in(ANN, "secret", Scope.NONE)
    house.clock.now += 1000
    second = await house.identity.rescope(first.secret, ByName("web"))
    assert second.token.expires_at == first.token.expires_at
    assert second.token.methods == ("password", "token")


async def test_a_name_is_taken_whatever_the_case_of_its_letters(house):
    with pytest.raises(errors.Conflict):
        await house.accounts.create_user("ANN", "x")
    with pytest.raises(errors.Conflict):
        await house.accounts.create_project("Web")


@pytest.mark.parametrize("name", ["", " ann", "ann\n", "x" * 256, "a\x00b"])
async def test_a_name_that_nobody_could_type_is_refused(house, name):
    with pytest.raises(errors.Invalid):
        await house.accounts.create_user(name, "x")


async def test_an_old_hash_is_made_anew_at_the_next_login(house):
    user = await house.accounts.user("ann")
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")
    await house.database.write(lambda db: store.set_password_hash(db, user.id, weak))
    await house.log_in()
    stored = await house.database.read(lambda db: store.password_hash(db, user.id))
    assert stored != weak
    await house.log_in()


async def credential(house: House, **kwargs):
    user, project = await house.accounts.user("ann"), await house.accounts.project("web")
    return await house.identity.create_credential(user.id, project.id, "robot", **kwargs)


async def test_an_application_credential_acts_in_its_project_with_its_roles(house):
    made, secret = await credential(house, roles=["reader"])
    issued = await house.identity.log_in_with_credential(ById(made.id), None, secret)
    assert (await house.identity.caller(issued.secret)).roles == {"reader"}
    await house.identity.log_in_with_credential(ByName("robot"), ANN, secret)


@pytest.mark.parametrize(
    ("reference", "user", "right"),
    [
        (ByName("robot"), ANN, False),
        (ByName("robot"), ByName("nobody"), True),
        (ByName("robot"), None, True),
        (ByName("other"), ANN, True),
        (ById("nothing"), None, True),
    ],
)
async def test_a_wrong_application_credential_is_refused(house, reference, user, right):
    _, secret = await credential(house)
    with pytest.raises(errors.Unauthenticated, match="is wrong"):
        await house.identity.log_in_with_credential(reference, user, secret if right else "wrong")


async def test_an_application_credential_outlives_neither_its_time_nor_its_users_roles(house):
    made, secret = await credential(house, expires_at=house.clock.now + 60)
    issued = await house.identity.log_in_with_credential(ById(made.id), None, secret)
    assert issued.token.expires_at == made.expires_at
    await house.accounts.revoke("ann", "web", "member")
    with pytest.raises(errors.Unauthenticated):
        await house.identity.log_in_with_credential(ById(made.id), None, secret)
    await house.accounts.grant("ann", "web", "reader")
    fewer = await house.identity.log_in_with_credential(ById(made.id), None, secret)
    assert fewer.token.roles == {"reader"}
    house.clock.now += 60
    with pytest.raises(errors.Unauthenticated):
        await house.identity.log_in_with_credential(ById(made.id), None, secret)


async def test_a_deleted_application_credential_takes_its_tokens_along(house):
    made, secret = await credential(house)
    issued = await house.identity.log_in_with_credential(ById(made.id), None, secret)
    await house.identity.delete_credential(made.user_id, "robot")
    with pytest.raises(errors.Unauthenticated):
        await house.identity.caller(issued.secret)


async def test_nobody_gives_away_roles_that_they_do_not_have(house):
    with pytest.raises(errors.Invalid, match="admin cannot be given"):
        await credential(house, roles=["admin"])


async def test_a_token_from_an_application_credential_gets_no_others(house):
    made, secret = await credential(house)
    issued = await house.identity.log_in_with_credential(ById(made.id), None, secret)
    with pytest.raises(errors.Forbidden):
        await house.identity.rescope(issued.secret, ByName("web"))
    with pytest.raises(errors.Forbidden):
        house.identity.check_own(issued.token, made.user_id, changing=True)


async def test_others_tokens_are_shown_to_admins_only(house):
    token = await house.log_in()
    await house.accounts.create_user("bob", "secret")
    bob = await house.identity.log_in(ByName("bob"), "secret")
    with pytest.raises(errors.Forbidden):
        await house.identity.inspect(bob.token, token)
    await house.accounts.grant("bob", "web", "admin")
    bob = await house.identity.log_in(ByName("bob"), "secret")
    assert (await house.identity.inspect(bob.token, token)).user.name == "Ann"
