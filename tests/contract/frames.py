"""Frames as whoever may write them himself sends and hears them, whatever he calls himself."""

import asyncio
import socket
import struct

from tests.contract.spaces import Space

BROADCAST = b"\xff" * 6
ARP, IP, IPV6, VLAN = b"\x08\x06", b"\x08\x00", b"\x86\xdd", b"\x81\x00"
SHOUT = b"is-anybody-there"
"""What all of them have in them."""


async def listening(space: Space) -> socket.socket:
    """Hears every frame that comes to the namespace."""
    made = await space.socket(socket.SOCK_RAW, socket.AF_PACKET, socket.htons(3))
    made.bind(("eth0", 3))
    return made


def listening_at(link: str) -> socket.socket:
    """Hears all that the host sends there."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.setblocking(False)
    made.bind((link, 3))
    return made


def frames(heard: socket.socket) -> list[bytes]:
    """All that came since the last time, and for a link of the host all that went."""
    outgoing = heard.getsockname()[0].startswith("hgu")
    found: list[bytes] = []
    while True:
        try:
            frame, (_, _, kind, *_) = heard.recvfrom(2000)
        except BlockingIOError:
            return found
        if (kind == socket.PACKET_OUTGOING) is outgoing:
            found.append(frame)


async def send(space: Space, *sent: bytes) -> None:
    """From the namespace, as they are."""
    with await space.socket(socket.SOCK_RAW, socket.AF_PACKET) as made:
        made.bind(("eth0", 0))
        for frame in sent:
            made.send(frame)
    await asyncio.sleep(0.02)


async def shout(space: Space, mac: bytes, address: str) -> None:
    """To everybody, as if from there: a datagram, and a question for an address."""
    await send(space, BROADCAST + mac + IP + datagram(address), BROADCAST + mac + ARP + claim(mac, address))


def datagram(source: str, target: str = "255.255.255.255", *, port: int = 1000) -> bytes:
    """A packet of UDP."""
    payload = struct.pack(">HHHH", 1000, port, 8 + len(SHOUT), 0) + SHOUT
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 17, 0)
    header += socket.inet_aton(source) + socket.inet_aton(target)
    total = sum(struct.unpack(">10H", header))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return header[:10] + struct.pack(">H", checksum) + header[12:] + payload


def claim(mac: bytes, address: str, asked: str = "10.88.0.3") -> bytes:
    """Whoever hears it learns that the address is there, and is asked for another."""
    sender = mac + socket.inet_aton(address)
    return struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + sender + bytes(6) + socket.inet_aton(asked) + SHOUT
