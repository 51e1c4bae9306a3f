"""Looks at a tar archive as it passes by, before an engine unpacks it.

An engine takes whatever it is given: nonsense for an empty archive, packed archives that are a thousand times larger than what is sent, and
files with holes, which it fills. So only plain archives pass: what is sent is what is written.
"""

import re
import tarfile

from higgins import errors

_BLOCK = 512
_LONGEST = 1024**2
"""Bytes of what an archive says of one file besides its content."""
_EXTENDED, _EXTENDED_FOR_ALL, _WITH_HOLES = b"x", b"g", b"S"
_WITHOUT_CONTENT = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
_RECORD = re.compile(rb"(\d{1,9}) ([^=]+)=")


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
        try:
            entry = tarfile.TarInfo.frombuf(bytes(self._header[:_BLOCK]), "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise errors.Invalid(
                "What came is no plain tar archive. One that is packed (with gzip, say) must be unpacked first."
            ) from error
        if entry.size < 0 or entry.type == _WITH_HOLES:
            raise _holes()
        if entry.type in (_EXTENDED, _EXTENDED_FOR_ALL):
            if entry.size > _LONGEST:
                raise errors.Invalid("What came is no plain tar archive: it says too much of one file.")
            self._wanted = _BLOCK + _whole(entry.size)
            if len(self._header) < self._wanted:
                return
            self._extended(bytes(self._header[_BLOCK : _BLOCK + entry.size]))
        elif entry.type not in _WITHOUT_CONTENT:
            size, self._size = (entry.size if self._size is None else self._size), None
            self._left = _whole(size)
        self._header.clear()
        self._wanted = _BLOCK

    def _extended(self, said: bytes) -> None:
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
                self._size = int(value)
            said = said[end:]


def _whole(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _holes() -> errors.Invalid:
    return errors.Invalid("The archive has files with holes in them. Make it without (tar without --sparse).")
