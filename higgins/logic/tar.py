"""What a tar archive begins with."""

BLOCK = 512
"""Bytes of a header; an archive is never shorter."""
_SUM = slice(148, 156)
"""Where a header has the sum of its bytes, with blanks for the sum itself."""


def begins(block: bytes) -> bool:
    """Whether an archive may begin with this block: with the header of something, or with the zeros that are the end of one.

    A compressed archive does not, so that what is unpacked is never more than what was sent.
    """
    if len(block) < BLOCK:
        return False
    header = block[:BLOCK]
    if not any(header):
        return True
    try:
        said = int(header[_SUM].strip(b"\0 ").decode("ascii"), 8)
    except ValueError:
        return False
    return said == sum(header) - sum(header[_SUM]) + 8 * ord(" ")
