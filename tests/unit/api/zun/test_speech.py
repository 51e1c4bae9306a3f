"""How the frames of a console are read and written."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgins import errors
from higgins.api.zun import speech
from higgins.api.zun.speech import Channels, Ended, Failed, Finished, Raw, Sized, Trouble, Typed
from higgins.model.live import Piece


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in pairwise(edges)]


@given(st.text(), st.lists(st.integers(min_value=0)))
def test_no_frame_divides_a_character_and_none_is_lost(text, places):
    raw = Raw()
    frames = [raw.tell(Piece(piece)) for piece in cut(text.encode("utf-8", "surrogatepass"), places)]
    frames += raw.rest()
    for frame in frames:
        frame.decode("utf-8", "surrogatepass")
    assert b"".join(frames) == text.encode("utf-8", "surrogatepass")


@given(st.binary(), st.lists(st.integers(min_value=0)))
def test_bytes_that_are_no_text_pass_as_they_are(content, places):
    raw, waiting = Raw(), b""
    told = bytearray()
    for piece in cut(content, places):
        frame = raw.tell(Piece(piece))
        told += frame
        waiting = (waiting + piece)[len(frame) :]
        assert len(waiting) <= 3
        assert raw.holding == bool(waiting)
    assert bytes(told) + b"".join(raw.rest()) == content
    assert not raw.holding


def test_the_beginning_of_a_character_waits_apart_from_the_other_stream():
    raw = Raw()
    assert raw.tell(Piece(b"caf\xc3")) == b"caf"
    assert raw.tell(Piece(b"trouble", aside=True)) == b"trouble"
    assert raw.tell(Piece(b"\xa9")) == b"\xc3\xa9"


def test_zuns_clients_are_told_nothing_but_bytes():
    raw = Raw()
    assert raw.hear(b"\x04") == Typed(b"\x04")
    assert raw.farewell(Ended(3)) == b""


@pytest.mark.parametrize(
    ("frame", "heard"),
    [
        (b"\x00ls\n", Typed(b"ls\n")),
        (b"\x00", Typed(b"")),
        (b'\x04{"width": 80, "height": 24}', Sized(80, 24)),
        (b"\xff\x00", Finished()),
    ],
)
def test_channels_say_what_a_frame_is(frame, heard):
    assert Channels().hear(frame) == heard


@pytest.mark.parametrize(
    "frame",
    [b"", b"\x01out", b"\x07", b"\xff", b"\xff\x01", b"\x04", b"\x04{}", b'\x04{"width":0,"height":1}', b"\x04\xff"],
)
def test_a_frame_that_says_nothing_is_refused(frame):
    with pytest.raises(errors.Invalid):
        Channels().hear(frame)


def test_channels_keep_the_two_outputs_apart_and_tell_the_end():
    channels = Channels()
    assert channels.tell(Piece(b"out")) == b"\x01out"
    assert channels.tell(Piece(b"err", aside=True)) == b"\x02err"
    assert channels.tell(Piece(b"caf\xc3")) == b"\x01caf\xc3"
    assert channels.tell(Piece(b"")) == b""
    assert channels.farewell(Ended(3)) == b'\x03{"exit_code":3}'
    assert channels.farewell(Ended(None)) == b'\x03{"exit_code":null}'
    assert channels.farewell(Failed(Trouble("gone", "It is gone."))) == (
        b'\x03{"error":{"code":"gone","title":"It is gone."}}'
    )


def test_who_names_no_sub_protocol_speaks_as_zuns_clients_do():
    assert isinstance(speech.spoken(None), Raw)
    assert isinstance(speech.spoken("binary"), Raw)
    assert isinstance(speech.spoken("v1.channels.higgins"), Channels)
