"""Join tokens, and what a host keeps."""

import random
from pathlib import Path

import pytest

from higgins import errors
from higgins.link import credentials
from higgins.link.certificates import Authority
from higgins.link.credentials import Credentials
from higgins.link.enrolment import JoinToken
from higgins.model.ids import HostId


@pytest.fixture
def token(tmp_path: Path) -> JoinToken:
    return JoinToken.make("control.example.org:9520", 9521, Authority.open(tmp_path))


def test_a_token_says_all_that_a_machine_needs(token: JoinToken):
    assert JoinToken.parse(str(token)) == token
    assert len(str(token)) < 800


def test_a_token_survives_being_wrapped(token: JoinToken):
    text = str(token)
    assert JoinToken.parse(f" {text[:70]}\n  {text[70:]}\n") == token


def test_what_the_control_plane_keeps_does_not_tell_the_secret(token: JoinToken):
    assert token.digest not in str(token)
    assert token.secret.hex() not in token.digest


@pytest.mark.parametrize("length", [0, 1, 10, 60, 200, -4, -1])
def test_a_token_that_was_cut_off_says_what_to_do(token: JoinToken, length: int):
    with pytest.raises(errors.Invalid, match="higgins host token"):
        JoinToken.parse(str(token)[:length])


def test_a_token_with_any_wrong_letter_is_refused(token: JoinToken):
    text, dice = str(token), random.Random(1)
    for _ in range(200):
        place = dice.randrange(len(text) - 1)
        wrong = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(errors.Invalid):
            JoinToken.parse(wrong)


@pytest.mark.parametrize("text", ["hello", "ü", "....", "{}", "A" * 10_000])
def test_what_is_no_token_is_refused(text: str):
    with pytest.raises(errors.Invalid):
        JoinToken.parse(text)


def kept() -> Credentials:
    return Credentials(
        host_id=HostId("h"),
        name="h1",
        address="a:1",
        authority="",
        certificate="",
        key="",
        issued_at=1000.0,
        expires_at=1300.0,
        join_digest="",
    )


def test_a_certificate_is_renewed_after_two_thirds_of_its_life():
    assert kept().renew_at() == 1200.0


def test_before_the_first_enrolment_there_is_nothing(tmp_path: Path):
    assert credentials.load(tmp_path) is None
    credentials.save(tmp_path / "new", kept())
    assert credentials.load(tmp_path / "new") == kept()


def test_credentials_that_cannot_be_read_say_which_file_to_remove(tmp_path: Path):
    credentials.save(tmp_path, kept())
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(errors.Broken, match=f"{path}.*remove it"):
        credentials.load(tmp_path)
