"""Looks at a tar archive as it passes by, before an engine unpacks it.

An engine takes whatever it is given: nonsense for an empty archive, packed archives that are a thousand times larger than what is sent, and
files with holes, which it fills. So only plain archives pass: what is sent is what is written. And only such as every reader takes apart alike:
what is content here and a header to the engine could be anything.
"""

import re
import tarfile

from higgins import errors

_BLOCK = 512
_LONGEST = 1024**2
"""Bytes of what an archive says of one file besides its content."""
_EXTENDED, _EXTENDED_FOR_ALL, _WITH_HOLES = b"x", b"g", b"S"
_LONG_NAMES = frozenset((b"L", b"K"))
_WITHOUT_CONTENT = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
_RECORD = re.compile(rb"(\d{1,9}) ([^=]+)=")
_PACKED = re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
"""How archives begin that are packed with gzip, bzip2, xz or zstd, by which an engine knows them. A file's name can begin so as well."""
_SIZE = re.compile(rb" *[0-7]*[ \0]*|\x80.*", re.DOTALL)
"""Digits after a null byte are a number to some readers, and none to others."""


class Scrutiny:
    """Raises Invalid as soon as it sees something that is no plain tar archive, or too long."""

    def __init__(self, limit: int) -> None:
        """`limit` in bytes of the whole archive."""
        self._limit = limit
        self._seen = 0
        self._left = 0
        """Bytes of content that are to come."""
        self._header = bytearray()
        self._wanted = _BLOCK
        self._size: int | None = None
        """Of the next file, where that was said before its header."""
        self._begun = False
        self._over = False

    def feed(self, content: bytes) -> None:
        """The next bytes of it."""
        self._seen += len(content)
        if self._seen > self._limit:
            raise errors.Invalid(f"The archive has more than {self._limit} bytes, which is the most here.")
        while content and not self._over:
            if self._left:
                passed = min(self._left, len(content))
                self._left, content = self._left - passed, content[passed:]
                continue
            missing = self._wanted - len(self._header)
            self._header += content[:missing]
            content = content[missing:]
            if len(self._header) == self._wanted:
                self._read()

    def end(self) -> None:
        """There is no more of it."""
        if not self._seen:
            raise errors.Invalid("What came is no tar archive: nothing came.")
        if not self._over and (self._left or self._header):
            raise errors.Invalid("What came is no whole tar archive: it breaks off.")

    def _read(self) -> None:
        """A header that is complete, with what an extended one says."""
        if not any(self._header):
            self._over = True
            return
        entry = self._entry(bytes(self._header[:_BLOCK]))
        self._begun = True
        if entry.type in (_EXTENDED, _EXTENDED_FOR_ALL):
            if entry.size > _LONGEST:
                raise errors.Invalid("What came is no plain tar archive: it says too much of one file.")
            self._wanted = _BLOCK + _whole(entry.size)
            if len(self._header) < self._wanted:
                return
            self._size = self._extended(bytes(self._header[_BLOCK : _BLOCK + entry.size]))
            if self._size is not None and entry.type == _EXTENDED_FOR_ALL:
                raise errors.Invalid("What came is no plain tar archive: it gives all files the same size.")
        elif entry.type in _LONG_NAMES:
            self._left = _whole(entry.size)
        else:
            size, self._size = (entry.size if self._size is None else self._size), None
            self._left = 0 if entry.type in _WITHOUT_CONTENT else _whole(size)
        self._header.clear()
        self._wanted = _BLOCK

    def _entry(self, header: bytes) -> tarfile.TarInfo:
        try:
            entry = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise _packed() from error
        if not self._begun and _PACKED.match(header):
            raise _packed()
        if entry.size < 0 or entry.type == _WITH_HOLES:
            raise _holes()
        if not _SIZE.fullmatch(header[124:136]):
            raise errors.Invalid("What came is no plain tar archive: a size cannot be read.")
        if header[156:157] == tarfile.AREGTYPE:
            # The name, of which there may be several, tells whether it is a directory.
            raise errors.Invalid("The archive is of the oldest kind. Make it anew (with tar --format=ustar, say).")
        return entry

    def _extended(self, said: bytes) -> int | None:
        """The size of the next file, if it is told."""
        size: int | None = None
        while said:
            record = _RECORD.match(said)
            end = int(record[1]) if record else 0
            if record is None or end <= record.end() or said[end - 1 : end] != b"\n":
                raise errors.Invalid("What came is no plain tar archive: an extended header cannot be read.")
            value = said[record.end() : end - 1]
            if record[2].startswith(b"GNU.sparse"):
                raise _holes()
            if record[2] == b"size":
                if not value.isdigit():
                    raise errors.Invalid("What came is no plain tar archive: a size cannot be read.")
                size = int(value)
            said = said[end:]
        return size


def _whole(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _packed() -> errors.Invalid:
    return errors.Invalid(
        "What came is no plain tar archive. One that is packed (with gzip, say) must be unpacked first."
    )


def _holes() -> errors.Invalid:
    return errors.Invalid("The archive has files with holes in them. Make it without (tar without --sparse).")
