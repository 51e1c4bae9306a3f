"""How the names of images are read."""

import pytest

from higgins import errors
from higgins.logic.reference import Reference

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "registry", "path", "version", "whole"),
    [
        ("busybox", None, "busybox", "latest", "busybox:latest"),
        ("busybox:1.36", None, "busybox", "1.36", "busybox:1.36"),
        ("team/app", None, "team/app", "latest", "team/app:latest"),
        ("localhost/app", "localhost", "app", "latest", "localhost/app:latest"),
        ("host.example/a/b__c:V_1", "host.example", "a/b__c", "V_1", "host.example/a/b__c:V_1"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000", "app", "latest", "127.0.0.1:5000/app:latest"),
        ("[::1]:5000/app:x", "[::1]:5000", "app", "x", "[::1]:5000/app:x"),
        ("busybox@" + DIGEST, None, "busybox", DIGEST, "busybox@" + DIGEST),
        ("h:1/busybox:tag@" + DIGEST, "h:1", "busybox", DIGEST, "h:1/busybox@" + DIGEST),
        ("deadbeef1234", None, "deadbeef1234", "latest", "deadbeef1234:latest"),
    ],
)
def test_a_reference_is_taken_apart(text: str, registry: str | None, path: str, version: str, whole: str) -> None:
    parsed = Reference.parse(text)
    assert (parsed.registry, parsed.path, parsed.version, str(parsed)) == (registry, path, version, whole)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("busybox:", "tag"),
        ("busybox:.x", "tag"),
        ("busybox:a b", "tag"),
        ("Busybox", "name"),
        ("team/Busybox", "name"),
        ("../x", "name"),
        ("a" * 256, "name"),
        ("host_name.example/x", "registry"),
        ("busybox@", "digest"),
        ("busybox@sha256:12", "digest"),
        ("sha256:12ab", "id"),
        ("busybox\n", "name"),
        ("", "name"),
    ],
)
def test_a_malformed_reference_is_invalid_and_says_which_part(text: str, part: str) -> None:
    with pytest.raises(errors.Invalid, match=part):
        Reference.parse(text)
