"""Roles imply one another; the default rules cover what the API asks for."""

import pytest

from higgins.logic import access


@pytest.mark.parametrize(
    ("held", "acts_as"),
    [
        (["admin"], {"admin", "manager", "member", "reader"}),
        (["manager"], {"manager", "member", "reader"}),
        (["member"], {"member", "reader"}),
        (["reader"], {"reader"}),
        (["reader", "manager"], {"manager", "member", "reader"}),
        (["operator"], {"operator"}),
        (["operator", "reader"], {"operator", "reader"}),
        ([], set()),
    ],
)
def test_a_role_brings_those_below_it(held, acts_as):
    assert access.implied(held) == acts_as


def test_every_field_with_a_rule_by_default_is_a_field():
    ruled = {name.removeprefix(access.FIELD_RULE) for name in access.RULES if name.startswith(access.FIELD_RULE)}
    assert ruled <= access.FIELDS
