"""Every kind of failure has its place in HTTP."""

import inspect

import pytest

from higgins import errors
from higgins.api import failures

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


def test_every_kind_of_failure_has_a_status():
    assert set(KINDS) - {errors.Failure} == set(failures.STATUS)


def test_a_special_kind_has_the_status_of_the_general_one():
    special = type("Special", (errors.NotFound,), {})
    assert failures.status(special("it is gone")) == 404


def test_a_failure_of_no_kind_is_the_services_own():
    assert failures.status(errors.Failure("?")) == 500


@pytest.mark.parametrize(("after", "header"), [(None, "5"), (0.2, "1"), (2.5, "3"), (30, "30")])
def test_a_client_is_told_when_to_try_again_in_whole_seconds(after, header):
    assert failures.retry_after(errors.Unavailable("later", retry_after=after)) == header
