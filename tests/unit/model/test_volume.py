"""Where something can be mounted."""

import pytest

from higgins import errors
from higgins.model.volume import destination


@pytest.mark.parametrize(
    ("given", "kept"), [("/data", "/data"), ("/data/", "/data"), ("//a/./b//", "/a/b"), ("/a...b", "/a...b")]
)
def test_a_place_is_kept_without_what_says_nothing(given: str, kept: str) -> None:
    assert destination(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "data",
        "./x",
        "/",
        "//",
        "/.",
        "/a/../b",
        "/..",
        "/a:b",
        "/a\0b",
        "/proc",
        "/sys/fs",
        "/dev/shm",
        "/" + "x" * 4096,
    ],
)
def test_what_is_no_place_is_refused(given: str) -> None:
    with pytest.raises(errors.Invalid):
        destination(given)
