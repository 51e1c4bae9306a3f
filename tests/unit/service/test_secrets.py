"""Secrets at rest: a key that is made once, kept out of sight, and can be replaced."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from higgins import errors
from higgins.service.registries import Given, Sources
from higgins.service.secrets import Secrets


def keys(file: Path, *lines: bytes) -> Secrets:
    file.write_bytes(b"# made for a test\n" + b"\n".join(lines) + b"\n")
    return Secrets(file, make=False)


def test_a_key_is_made_when_it_is_first_needed_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets.key"
    secrets = Secrets(file, make=True)
    assert not file.exists()
    token = secrets.encrypt("open sesame")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "sesame" not in token
    assert [each.name for each in tmp_path.iterdir()] == ["secrets.key"]
    # Whoever comes later, or at the same time, finds it.
    assert Secrets(file, make=True).decrypt(token) == "open sesame"
    assert Secrets(file, make=True).encrypt("open sesame") != token


def test_the_first_key_encrypts_and_all_decrypt(tmp_path: Path) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    token = keys(tmp_path / "k", old).encrypt("open sesame")
    both = keys(tmp_path / "k", new, old)
    assert both.decrypt(token) == "open sesame"
    fresh = both.renew(token)
    assert keys(tmp_path / "k", new).decrypt(fresh) == "open sesame"
    with pytest.raises(errors.Unavailable):
        keys(tmp_path / "k", new).decrypt(token)


@pytest.mark.parametrize("content", [None, b"", b"no key", b"\xff\xfe"])
def test_without_a_key_whoever_needs_it_is_told_and_the_log_names_the_file(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "secrets.key"
    if content is not None:
        file.write_bytes(content)
    secrets = Secrets(file, make=False)
    for _ in range(2):
        with pytest.raises(errors.Unavailable, match="tell the operator") as refused:
            secrets.encrypt("open sesame")
        assert str(file) not in refused.value.message
    assert caplog.text.count(str(file)) == 1
    # Set right, it is used without a restart.
    file.write_bytes(Fernet.generate_key())
    assert secrets.decrypt(secrets.encrypt("open sesame")) == "open sesame"


def test_a_directory_that_cannot_be_written_is_no_crash(tmp_path: Path) -> None:
    with pytest.raises(errors.Unavailable):
        Secrets(tmp_path / "missing" / "secrets.key", make=True).encrypt("open sesame")


def test_a_password_is_not_shown_by_what_holds_it() -> None:
    assert "sesame" not in repr(Given(domain="reg.example", password="open sesame"))


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        ("reg.example/app", True),
        ("REG.example/app", True),
        ("a.team.example:5000/app", True),
        ("team.example/app", False),
        ("reg.example.evil.com/app", False),
        ("busybox", False),
        ("localhost/app", False),
        ("169.254.169.254/latest", False),
    ],
)
def test_images_come_only_from_where_the_operator_allows(image: str, allowed: bool) -> None:
    sources = Sources(allowed=["reg.example", "*.team.example:5000"])
    Sources().check(image)
    if allowed:
        sources.check(image)
    else:
        with pytest.raises(errors.Forbidden, match=r"\[images\] registries"):
            sources.check(image)


def test_docker_hub_is_allowed_by_its_name() -> None:
    for image in ("busybox", "team/app", "docker.io/library/busybox", "index.docker.io/team/app"):
        Sources(allowed=["docker.io"]).check(image)
