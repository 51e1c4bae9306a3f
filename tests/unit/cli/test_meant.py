"""What is asked of whoever mistyped a word."""

import pytest

from higgins.cli import meant


@pytest.mark.parametrize(
    ("given", "question"),
    [
        ("wbe", "Did you mean web?"),
        ("wxb", "Did you mean web?"),
        ("zzz", ""),
    ],
)
def test_only_what_is_near_is_asked_for(given, question):
    assert meant.question(given, ["web", "database"]) == question


def test_three_are_enough():
    assert meant.question("a", ["a1", "a2", "a3", "a4"]).count("a") == 4
