"""How many live calls a project may have at once."""

from contextlib import ExitStack

import pytest

from higgins import errors
from higgins.model.ids import ProjectId
from higgins.service.turnstile import Turnstile

P1, P2 = ProjectId("p1"), ProjectId("p2")


def test_a_project_that_has_as_many_as_it_may_is_told_so_and_others_go_on():
    turnstile = Turnstile(2)
    with ExitStack() as stack:
        for project in (P1, P1, P2):
            stack.enter_context(turnstile.through(project))
        with pytest.raises(errors.Conflict, match=r"has 2 terminals.*close some") as refused, turnstile.through(P1):
            pass
        assert refused.value.name == "too-many-live-calls"
        with turnstile.through(P2):
            pass


def test_whoever_leaves_makes_room_however_it_ended():
    turnstile = Turnstile(1)
    with pytest.raises(ZeroDivisionError), turnstile.through(P1):
        1 / 0  # noqa: B018
    with turnstile.through(P1):
        pass
