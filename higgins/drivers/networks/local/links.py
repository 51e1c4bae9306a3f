"""Asks the kernel which links a network namespace has, without starting a program."""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR, _DONE = 2, 3
_GET_LINK, _GET_NAMESPACE = 18, 90
_REQUEST, _ALL = 0x1, 0x300
_NAME, _ALIAS, _FILTER, _TARGET = 3, 20, 29, 46
_NAMESPACE_ID, _NAMESPACE_FD = 1, 3
_NO_COUNTERS = 1 << 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link, with the mark that whoever made it left on it."""

    name: str
    alias: str


def number(namespace: Path) -> int | None:
    """Under which the kernel knows a namespace here; None: there is none, or nothing leads into it from here."""
    try:
        file = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        request = struct.pack("=B3x", socket.AF_UNSPEC) + _attribute(_NAMESPACE_FD, struct.pack("=I", file))
        for body in _ask(_GET_NAMESPACE, 0, request):
            found: int = struct.unpack("=i", _attributes(body[4:])[_NAMESPACE_ID])[0]
            return found if found >= 0 else None
    finally:
        os.close(file)
    return None


def link(namespace: int, name: str) -> Link | None:
    """The one of this name."""
    request = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + _attribute(_NAME, name.encode() + b"\0") + _within(namespace)
    return next((_read(body) for body in _ask(_GET_LINK, 0, request)), None)


def links(namespace: int) -> list[Link]:
    """All that the namespace has."""
    request = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + _within(namespace)
    return [_read(body) for body in _ask(_GET_LINK, _ALL, request)]


def _within(namespace: int) -> bytes:
    return _attribute(_TARGET, struct.pack("=i", namespace)) + _attribute(_FILTER, struct.pack("=I", _NO_COUNTERS))


def _read(body: bytes) -> Link:
    found = _attributes(body[_LINK.size :])
    return Link(name=_text(found[_NAME]), alias=_text(found.get(_ALIAS, b"")))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _attribute(kind: int, value: bytes) -> bytes:
    padding = -len(value) % 4
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + b"\0" * padding


def _attributes(rest: bytes) -> dict[int, bytes]:
    found = {}
    while len(rest) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(rest)
        found[kind & 0x3FFF] = rest[_ATTRIBUTE.size : size]
        rest = rest[(size + 3) & ~3 :]
    return found


def _ask(kind: int, flags: int, request: bytes) -> Iterator[bytes]:
    """The bodies of the answer; none where there is no such thing, or no such namespace any more."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + len(request), kind, _REQUEST | flags, 1, 0) + request)
        while True:
            rest = kernel.recv(1 << 18)
            while rest:
                size, answer, _, _, _ = _HEADER.unpack_from(rest)
                if answer in (_ERROR, _DONE):
                    return
                yield rest[_HEADER.size : size]
                if not flags & _ALL:
                    return
                rest = rest[(size + 3) & ~3 :]
