"""Who may do what, by default and by an operator's file; and that remembering a decision never gives another's answer."""

from dataclasses import replace
from pathlib import Path

import pytest

from higgins import errors
from higgins.logic import access
from higgins.model.identity import Caller
from higgins.model.ids import ProjectId, UserId
from higgins.service.policy import Policy

MINE, THEIRS = ProjectId("mine"), ProjectId("theirs")
ANN, BOB = UserId("ann"), UserId("bob")


def caller(role: str, *, user: UserId = ANN, project: ProjectId = MINE) -> Caller:
    return Caller(user_id=user, project_id=project, roles=access.implied([role]))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy()


@pytest.fixture
def overridden(tmp_path: Path):
    def write(text: str) -> Policy:
        file = tmp_path / "policy.yaml"
        file.write_text(text)
        return Policy(file)

    return write


@pytest.mark.parametrize(
    ("role", "rule", "own", "other"),
    [
        ("admin", "container:start", True, True),
        ("admin", "container:get_one", True, True),
        ("admin", "container:delete_force", True, True),
        ("admin", "container:create:privileged", False, False),
        ("manager", "container:start", True, False),
        ("manager", "container:get_all_all_projects", False, False),
        ("member", "container:create", True, False),
        ("member", "container:execute", True, False),
        ("member", "container:get_archive", True, False),
        ("member", "container:actions", True, False),
        ("member", "container:action:events", False, False),
        ("member", "container:create:runtime", False, False),
        ("member", "container:create:privileged", False, False),
        ("reader", "container:get_one", True, False),
        ("reader", "container:get_all", True, False),
        ("reader", "container:logs", True, False),
        ("reader", "container:stats", True, False),
        ("reader", "container:create", False, False),
        ("reader", "container:kill", False, False),
        ("reader", "container:get_archive", False, False),
        ("stranger", "container:get_one", False, False),
    ],
)
def test_each_persona_may_do_its_part_and_only_admins_leave_their_project(policy, role, rule, own, other):
    who = caller(role)
    assert policy.allows(who, rule, project_id=MINE, user_id=BOB) is own
    assert policy.allows(who, rule, project_id=THEIRS, user_id=BOB) is other


def test_nobody_below_a_member_changes_anything(policy):
    changing = [name for name, rule in access.RULES.items() if rule == "rule:project_member"]
    assert len(changing) > 20
    for rule in changing:
        assert not policy.allows(caller("reader"), rule, project_id=MINE, user_id=ANN), rule
        assert policy.allows(caller("member"), rule, project_id=MINE, user_id=ANN), rule


def test_a_refusal_names_the_rule(policy):
    with pytest.raises(errors.Forbidden) as refusal:
        policy.check(caller("reader"), "container:start", project_id=MINE, user_id=ANN)
    assert refusal.value.message == "Policy doesn't allow container:start to be performed."
    assert refusal.value.name == "policy-not-authorized"


def test_what_operators_see_is_hidden_from_tenants(policy):
    operators = {"host", "image_pull_policy", "privileged", "runtime"}
    assert policy.hidden(caller("member"), project_id=MINE, user_id=ANN) == operators
    assert policy.hidden(caller("admin"), project_id=MINE, user_id=ANN) == set()


def test_a_field_without_a_rule_is_seen(policy):
    assert policy.allows(caller("reader"), "container:get_one:name", project_id=MINE, user_id=ANN)


def test_a_rule_that_does_not_exist_is_our_fault_and_allows_nothing(policy):
    with pytest.raises(errors.Broken):
        policy.allows(caller("admin"), "container:fly", project_id=MINE, user_id=ANN)


def test_an_operator_can_hide_a_further_field(overridden):
    policy = overridden('"container:get_one:environment": "user_id:%(user_id)s"')
    assert "environment" in policy.hidden(caller("member"), project_id=MINE, user_id=BOB)
    assert "environment" not in policy.hidden(caller("member"), project_id=MINE, user_id=ANN)


def test_a_decision_about_one_user_is_not_given_to_another(overridden):
    policy = overridden('"container:delete": "user_id:%(user_id)s and project_id:%(project_id)s"')
    ann, bob = caller("member", user=ANN), caller("member", user=BOB)
    for _ in range(2):  # The second round is answered from memory.
        assert policy.allows(ann, "container:delete", project_id=MINE, user_id=ANN)
        assert not policy.allows(ann, "container:delete", project_id=MINE, user_id=BOB)
        assert policy.allows(bob, "container:delete", project_id=MINE, user_id=BOB)
        assert not policy.allows(bob, "container:delete", project_id=MINE, user_id=ANN)
        assert not policy.allows(ann, "container:delete", project_id=THEIRS, user_id=ANN)


def test_a_decision_changes_with_the_roles(overridden):
    policy = overridden('"container:delete": "role:janitor"')
    ann = caller("member")
    assert not policy.allows(ann, "container:delete", project_id=MINE, user_id=ANN)
    assert policy.allows(replace(ann, roles=ann.roles | {"janitor"}), "container:delete", project_id=MINE, user_id=ANN)


def test_who_is_an_admin_can_be_redefined(overridden):
    policy = overridden('"context_is_admin": "role:operator"\n"container:start": "is_admin:True"')
    assert policy.allows(caller("operator"), "container:start", project_id=THEIRS, user_id=BOB)
    assert policy.allows(caller("operator"), "container:delete_force", project_id=THEIRS, user_id=BOB)
    assert not policy.allows(caller("admin"), "container:start", project_id=MINE, user_id=ANN)


def test_a_file_can_name_rules_of_its_own(overridden):
    policy = overridden('"janitors": "role:janitor"\n"container:delete": "rule:janitors or rule:context_is_admin"')
    assert policy.allows(caller("janitor"), "container:delete", project_id=THEIRS, user_id=BOB)
    assert not policy.allows(caller("member"), "container:delete", project_id=MINE, user_id=ANN)


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_a_file_that_says_nothing_changes_nothing(overridden, text):
    assert overridden(text).allows(caller("member"), "container:start", project_id=MINE, user_id=ANN)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('"container:strat": "role:member"', "container:strat"),
        ('"container:get_one:hots": "role:member"', "container:get_one:hots"),
        ('"janitors": "role:janitor"', "janitors"),
        ('"container:start": "role:member and"', "container:start"),
        ('"container:start": "(role:member"', "container:start"),
        ('"container:start": "role:member role:reader"', "container:start"),
        ('"container:start": "member"', "container:start"),
        ('"container:start": "rule:nowhere"', "nowhere"),
        ('"container:start": "colour:blue"', "colour"),
        ('"container:start": "http://example.org/check"', "container:start"),
        ('"container:start": "user_id:%(owner)s"', "%(owner)s"),
        ('"container:start": "user_id:%(user_id)"', "container:start"),
        ('"container:start": "user_id:%"', "container:start"),
        ('"container:start": ["role:member"]', "container:start"),
        ('"container:start": 7', "container:start"),
        (
            '"container:start": "rule:one"\n"one": "rule:two"\n"two": "not rule:one"',
            "circle: container:start, one, two",
        ),
        ('"container:start"', "mapping"),
        ("- role:member", "mapping"),
        ('"container:start": "role:member', "YAML"),
        ("17: role:member", "17"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_by_name(overridden, tmp_path, text, named):
    with pytest.raises(errors.Invalid) as refusal:
        overridden(text)
    assert str(tmp_path / "policy.yaml") in refusal.value.message
    assert named in refusal.value.message


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path):
    with pytest.raises(errors.Invalid, match=r"absent\.yaml cannot be read"):
        Policy(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.Invalid, match=r"binary\.yaml"):
        Policy(tmp_path / "binary.yaml")
