"""What `-v`, `--mount` and `--tmpfs` amount to, and what they are refused with."""

import pytest

from higgins import errors
from higgins.cli.tenant import mounting


def test_volumes_are_given_as_with_docker() -> None:
    assert mounting.mounts(["data:/var/data", "x.1:/ro:ro", "ab:/rw:rw"], []) == [
        {"source": "data", "destination": "/var/data"},
        {"source": "x.1", "destination": "/ro", "read_only": True},
        {"source": "ab", "destination": "/rw"},
    ]


def test_memory_is_given_as_with_docker() -> None:
    assert mounting.mounts([], ["/run", "/tmp:rw,noexec,nosuid,size=65536k", "/ro:ro"]) == [
        {"type": "tmpfs", "destination": "/run"},
        {"type": "tmpfs", "destination": "/tmp", "size": 64},
        {"type": "tmpfs", "destination": "/ro", "read_only": True},
    ]


@pytest.mark.parametrize("given", ["/srv:/data", "./here:/data", "~/x:/data:ro", "/srv:"])
def test_a_directory_of_a_host_is_refused_with_what_to_do_instead(given: str) -> None:
    with pytest.raises(errors.Invalid, match="-v data:/data, and copy files into it with `higgins cp`"):
        mounting.mounts([given], [])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("/data", "-v data:/data"),
        ("data", "NAME:/path"),
        ("data:data", "NAME:/path"),
        ("a:/data", "two characters"),
        ("data:/data:ro:x", "NAME:/path"),
        ("data:/data:z", "ro, rw or nothing"),
        (":/data", "NAME:/path"),
    ],
)
def test_what_is_no_volume_is_refused_with_how_one_looks(given: str, words: str) -> None:
    with pytest.raises(errors.Invalid, match=words):
        mounting.mounts([given], [])


def test_options_of_memory_that_cannot_be_had_are_refused_by_name() -> None:
    with pytest.raises(errors.Invalid, match="exec cannot be had"):
        mounting.mounts([], ["/run:exec"])


def test_the_longer_words_mean_the_same() -> None:
    described = [
        "type=volume,source=data,target=/d",
        "src=data,dst=/ro,readonly",
        "source=data,destination=/rw,ro=false,volume-nocopy",
        "type=tmpfs,target=/run,tmpfs-size=64m",
    ]
    assert mounting.mounts([], [], described) == [
        *mounting.mounts(["data:/d", "data:/ro:ro", "data:/rw"], []),
        *mounting.mounts([], ["/run:size=64m"]),
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("type=bind,source=/srv,target=/data", "-v data:/data, and copy files into it with `higgins cp`"),
        ("type=bind,target=/data", "no directory of a host is mounted"),
        ("type=npipe,source=a,target=/data", "its type is volume or tmpfs"),
        ("target=/data", "give the volume a name"),
        ("type=volume", "NAME:/path"),
        ("source=data", "NAME:/path"),
        ("target=/data,volume-driver=nfs", "volume-driver is not understood; there are type, source"),
    ],
)
def test_longer_words_that_mean_nothing_here_are_refused_with_what_does(given: str, words: str) -> None:
    with pytest.raises(errors.Invalid, match=words):
        mounting.mounts([], [], [given])
