"""The image of sandboxes: one program that does nothing for as long as it is let, in a dozen instructions."""

import io
import struct
import tarfile
from collections.abc import Mapping

from higgins import errors

IMAGE = "higgins-sandbox:1"
"""A new number for every change, so that hosts do not go on with the old."""
ENTRYPOINT = 'ENTRYPOINT ["/pause"]'

_WAITING: Mapping[str, tuple[int, bytes]] = {
    # mov eax, 34 (pause); syscall; jmp to the beginning
    "x86_64": (62, bytes.fromhex("b822000000 0f05 ebf7")),
    # mov x0 to x4, 0; mov x8, 73 (ppoll); svc 0; b to the beginning
    "aarch64": (183, bytes.fromhex("000080d2 010080d2 020080d2 030080d2 040080d2 280980d2 010000d4 f9ffff17")),
}
"""The number of the machine in an ELF file, and the code."""
_BASE = 0x400000
_HEADERS = 64 + 56


def archive(architecture: str) -> bytes:
    """A tar with `/pause`. `architecture`: as the kernel calls it. Raises Invalid for one that is not known here."""
    if architecture not in _WAITING:
        raise errors.Invalid(f"Higgins has no sandbox for the processor architecture {architecture} of this host.")
    program = _executable(*_WAITING[architecture])
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("pause")
        member.mode, member.size = 0o755, len(program)
        tar.addfile(member, io.BytesIO(program))
    return packed.getvalue()


def _executable(machine: int, code: bytes) -> bytes:
    """A static ELF of 64 bits, least byte first, that is all one readable and executable segment."""
    size = _HEADERS + len(code)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return ident + header + segment + code
