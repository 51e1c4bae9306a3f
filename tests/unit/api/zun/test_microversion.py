"""Versions are negotiated as Zun's clients expect, and what cannot be negotiated is a 406 with a reason."""

import pytest

from higgins import errors
from higgins.api.zun import microversion
from higgins.api.zun.microversion import MAX, MIN, Version


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (None, MIN),
        ("container 1.1", Version(1, 1)),
        ("container 1.9", Version(1, 9)),
        ("container 1.12", Version(1, 12)),
        ("container 1.40", Version(1, 40)),
        ("container 1.41", MAX),
        ("container latest", MAX),
        ("container LATEST", MAX),
        ("  container   1.20 ", Version(1, 20)),
    ],
)
def test_a_version_that_is_offered_is_taken(header, version):
    assert microversion.negotiate(header) == version


@pytest.mark.parametrize(
    ("header", "reason", "code"),
    [
        ("", "Invalid service type", "not-acceptable"),
        ("latest", "Invalid service type", "not-acceptable"),
        ("1.12", "Invalid service type", "not-acceptable"),
        ("compute 1.12", "Invalid service type", "not-acceptable"),
        ("Container 1.12", "Invalid service type", "not-acceptable"),
        ("container 1.12 1.13", "Invalid service type", "not-acceptable"),
        ("container 1.latest", "Invalid value", "not-acceptable"),
        ("container 1", "Invalid value", "not-acceptable"),
        ("container 1.2.3", "Invalid value", "not-acceptable"),
        ("container -1.2", "Invalid value", "not-acceptable"),
        ("container 1.\u0663", "Invalid value", "not-acceptable"),
        ("container 1." + "9" * 5000, "Invalid value", "not-acceptable"),
        ("container 1.0", "Version 1.0 was requested but the minor version", "microversion-unsupported"),
        ("container 1.42", "[container 1.1, container 1.41]", "microversion-unsupported"),
        ("container 2.1", "Mutually exclusive versions requested", "microversion-unsupported"),
        ("container 0.1", "Mutually exclusive versions requested", "microversion-unsupported"),
    ],
)
def test_a_version_that_is_not_offered_is_refused_with_the_reason(header, reason, code):
    with pytest.raises(errors.NotAcceptable) as refusal:
        microversion.negotiate(header)
    assert reason in refusal.value.message
    assert refusal.value.name == code


def test_every_answer_tells_its_version_and_the_range():
    assert microversion.headers(Version(1, 12)) == {
        "OpenStack-API-Version": "container 1.12",
        "OpenStack-API-Minimum-Version": "container 1.1",
        "OpenStack-API-Maximum-Version": "container 1.41",
        "Vary": "OpenStack-API-Version",
    }
