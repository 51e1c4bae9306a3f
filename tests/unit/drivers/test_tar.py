"""Only plain tar archives pass, however they are cut."""

import bz2
import gzip
import io
import lzma
import random
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgins import errors
from higgins.drivers.tar import Scrutiny

LIMIT = 10 * 1024**2
names = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=300)


def packed(files: dict[str, bytes], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=form) as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return content.getvalue()


def scrutinise(content: bytes, cut: int = 512, *, limit: int = LIMIT) -> None:
    scrutiny = Scrutiny(limit)
    for start in range(0, len(content), cut):
        scrutiny.feed(content[start : start + cut])
    scrutiny.end()


@given(
    st.dictionaries(names, st.binary(max_size=2000), max_size=5),
    st.integers(1, 5000),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_every_plain_archive_passes_however_it_is_cut(files: dict[str, bytes], cut: int, form: int) -> None:
    scrutinise(packed(files, form=form), cut)


@given(st.binary(max_size=3000), st.integers(1, 2000))
def test_whatever_comes_passes_or_is_invalid(content: bytes, cut: int) -> None:
    try:
        scrutinise(content, cut)
    except errors.Invalid:
        return
    assert not any(content[:512])


def test_all_kinds_of_entries_pass() -> None:
    content = io.BytesIO()
    kinds = (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    with tarfile.open(fileobj=content, mode="w") as tar:
        for kind in kinds:
            entry = tarfile.TarInfo("x" * 200)
            entry.type, entry.linkname = kind, "y" * 200
            tar.addfile(entry)
    scrutinise(content.getvalue())


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_archive_is_told_to_be_unpacked(pack: object) -> None:
    assert callable(pack)
    with pytest.raises(errors.Invalid, match="unpacked first"):
        scrutinise(pack(packed({"x": random.Random(1).randbytes(3000)})))


@pytest.mark.parametrize("left", [1, 511, 513, 1000, 1024 + 511])
def test_an_archive_that_breaks_off_is_invalid(left: int) -> None:
    with pytest.raises(errors.Invalid, match="breaks off"):
        scrutinise(packed({"x": bytes(3000)})[:left])


def test_an_archive_without_its_last_blocks_is_whole() -> None:
    scrutinise(packed({"x": bytes(512)})[:1024])


def test_more_than_the_limit_is_invalid_as_soon_as_it_comes() -> None:
    scrutiny = Scrutiny(1024)
    scrutiny.feed(packed({"x": bytes(10**6)})[:1024])
    with pytest.raises(errors.Invalid, match="1024 bytes"):
        scrutiny.feed(b"\0")


@pytest.mark.parametrize("key", ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.realsize"])
def test_holes_are_found_in_extended_headers(key: str) -> None:
    entry = tarfile.TarInfo("x")
    entry.pax_headers = {"comment": "\n20 size=0\n", key: "1"}
    with pytest.raises(errors.Invalid, match="holes"):
        scrutinise(entry.tobuf(tarfile.PAX_FORMAT))


def test_a_size_in_an_extended_header_counts_and_one_in_a_comment_does_not() -> None:
    entry = tarfile.TarInfo("x")
    entry.pax_headers = {"comment": "\n15 size=999999\n", "size": "512"}
    header = entry.tobuf(tarfile.PAX_FORMAT)
    scrutinise(header + bytes(512) + packed({"y": b"y"}))
    with pytest.raises(errors.Invalid, match="breaks off"):
        scrutinise(header + bytes(100))


@pytest.mark.parametrize(
    "records", [b"x", b"5 a=b", b"0 a=b\n", b"99999999999999 a=b\n", b"13 size=-512\n", b"12 size=\xb2\n"]
)
def test_an_extended_header_that_cannot_be_read_is_invalid(records: bytes) -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, len(records)
    with pytest.raises(errors.Invalid):
        scrutinise(entry.tobuf() + records.ljust(512, b"\0") + packed({"y": b"y"}))


def test_an_extended_header_is_not_kept_however_long_it_says_it_is() -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 10**11
    with pytest.raises(errors.Invalid, match="too much"):
        scrutinise(entry.tobuf(tarfile.GNU_FORMAT))


def entry(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> bytes:
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, len(content)
    return made.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def with_field(header: bytes, start: int, field: bytes) -> bytes:
    """The header with something else in it, and the sum that belongs to it."""
    changed = bytearray(header)
    changed[start : start + len(field)] = field
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed[:512])
    return bytes(changed)


SIZE_OF_NEXT = entry("pax", tarfile.XHDTYPE, b"13 size=1024\n")
HOLES = entry("holes", b"S") + entry("more")


@pytest.mark.parametrize(
    "before",
    [
        SIZE_OF_NEXT + entry("directory", tarfile.DIRTYPE) + entry("small"),
        SIZE_OF_NEXT + entry("pax", tarfile.XHDTYPE, b"9 path=y\n") + entry("small"),
        SIZE_OF_NEXT + entry("name", tarfile.GNUTYPE_LONGNAME, bytes(2)),
        entry("pax", tarfile.XGLTYPE, b"13 size=1024\n") + entry("small"),
        with_field(entry("large"), 124, b"\x0000000002000") + entry("cover", content=bytes(1536))[:1024],
        entry("pax", tarfile.XHDTYPE, b"11 path=y/\n") + with_field(entry("y", content=bytes(1024))[:512], 156, b"\0"),
    ],
)
def test_no_header_passes_as_content_that_another_reader_takes_for_a_header(before: bytes) -> None:
    with pytest.raises(errors.Invalid):
        scrutinise(before + HOLES + bytes(1024))


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08\x04", b"BZh9", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"])
def test_a_name_that_looks_like_the_beginning_of_something_packed_is_refused(magic: bytes) -> None:
    with pytest.raises(errors.Invalid, match="unpacked first"):
        scrutinise(with_field(entry("name"), 0, magic) + bytes(1024))
    scrutinise(entry("first") + with_field(entry("name"), 0, magic) + bytes(1024))
