"""How a machine becomes a host: a join token, good for one use, is exchanged for a certificate."""

import base64
import binascii
import hashlib
import re
import secrets
import ssl
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import grpc

from higgins import errors
from higgins.link import certificates, credentials, dialling
from higgins.link import higgins_pb2 as wire
from higgins.link.certificates import Authority, HostCertificate
from higgins.link.credentials import Credentials
from higgins.link.higgins_pb2_grpc import EnrolmentStub, LinkStub
from higgins.model.ids import HostId

_VERSION = 1
_HEAD = struct.Struct("!B8sHB32s")
"""Version, checksum, enrolment port, length of the address, secret; the address and the authority's certificate follow."""
_WITHIN = 20.0
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")
_AGAIN = "make a new one with `higgins host token`"


class Tokens(Protocol):
    """Keeps the digests of the join tokens that are still good."""

    async def consume(self, digest: str, host_id: HostId, name: str) -> bool:
        """True once for a digest that was added, if it has not expired; of two at the same time one gets True, and that host is known from then on.

        Raises Conflict, and spends nothing, if another host has the name.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken:
    """All that a machine needs to become a host; whoever holds it can, once."""

    address: str
    """Of the link, host:port, as the machine reaches it."""
    enrol_port: int
    """On the same host."""
    secret: bytes
    authority: bytes
    """The control plane's own certificate (DER): with it the machine knows whom it talks to from the first byte."""

    @classmethod
    def make(cls, address: str, enrol_port: int, authority: Authority) -> "JoinToken":
        return cls(
            address=address, enrol_port=enrol_port, secret=secrets.token_bytes(32), authority=authority.certificate_der
        )

    @classmethod
    def parse(cls, text: str) -> "JoinToken":
        """Raises Invalid for what is not a join token, or not all of it."""
        text = "".join(text.split())
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            version, checksum, enrol_port, length, secret = _HEAD.unpack_from(raw)
        except (binascii.Error, ValueError, struct.error) as error:
            raise errors.Invalid(f"this is not a join token: copy all of it, or {_AGAIN}") from error
        if version != _VERSION:
            raise errors.Invalid(
                "the join token is of another version of Higgins: install the version of the control plane"
            )
        rest = raw[_HEAD.size :]
        if checksum != _checksum(enrol_port, secret, rest):
            raise errors.Invalid(f"the join token is damaged or was cut off: copy all of it, or {_AGAIN}")
        return cls(address=rest[:length].decode(), enrol_port=enrol_port, secret=secret, authority=rest[length:])

    def __str__(self) -> str:
        address = self.address.encode()
        rest = address + self.authority
        checksum = _checksum(self.enrol_port, self.secret, rest)
        raw = _HEAD.pack(_VERSION, checksum, self.enrol_port, len(address), self.secret) + rest
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @property
    def digest(self) -> str:
        """What the control plane keeps of it."""
        return digest(self.secret)


def digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


async def admit(
    authority: Authority, tokens: Tokens, secret: bytes, name: str, signing_request: bytes
) -> HostCertificate:
    """The control plane's part: a certificate for a new host. Raises Unauthenticated if the token is not, or no longer, good."""
    if not _NAME.fullmatch(name):
        raise errors.Invalid(
            f"{name!r} is no name for a host: up to 255 letters, digits, dots, dashes and underscores; set [agent] name"
        )
    # Signed before the token is spent: a request that cannot be signed costs none.
    certificate = authority.host(certificates.new_host_id(), signing_request)
    if not await tokens.consume(digest(secret), certificate.host_id, name):
        raise errors.Unauthenticated(f"the join token is unknown, was used already or has expired: {_AGAIN}")
    return certificate


async def enrol(join_token: str, name: str, directory: Path) -> Credentials:
    """The host's part: who it is from now on, saved in `directory`. With the token that it enrolled with before, as after every restart, what was saved.

    Raises Invalid for a bad token, Unauthenticated for one that is spent, Conflict if another host has the name, Unavailable if the control plane
    cannot be reached.
    """
    token = JoinToken.parse(join_token)
    kept = credentials.load(directory)
    if kept is not None and kept.join_digest == token.digest:
        return kept
    address = f"{token.address.rpartition(':')[0]}:{token.enrol_port}"
    authority = ssl.DER_cert_to_PEM_cert(token.authority)
    key, signing_request = certificates.request(name)
    async with dialling.dial(address, dialling.Trust(authority=authority)) as channel:
        try:
            signed = await EnrolmentStub(channel).Enrol(
                wire.EnrolRequest(secret=token.secret, name=name, signing_request=signing_request), timeout=_WITHIN
            )
        except grpc.aio.AioRpcError as error:
            raise dialling.translate(error, address) from error
    enrolled = Credentials(
        host_id=HostId(signed.host_id),
        name=name,
        address=token.address,
        authority=authority,
        certificate=signed.certificate.decode(),
        key=key.decode(),
        issued_at=signed.issued_at,
        expires_at=signed.expires_at,
        join_digest=token.digest,
    )
    credentials.save(directory, enrolled)
    return enrolled


async def renew(held: Credentials, directory: Path) -> Credentials:
    """A fresh certificate for a new key, saved in `directory`; until then the old ones stay good. Raises Unavailable if that cannot be had now."""
    key, signing_request = certificates.request(held.name)
    async with dialling.dial(held.address, dialling.Trust.of(held)) as channel:
        try:
            signed = await LinkStub(channel).Renew(wire.RenewRequest(signing_request=signing_request), timeout=_WITHIN)
        except grpc.aio.AioRpcError as error:
            raise dialling.translate(error, held.address) from error
    renewed = held.renewed(signed.certificate.decode(), key.decode(), signed.issued_at, signed.expires_at)
    credentials.save(directory, renewed)
    return renewed


def _checksum(enrol_port: int, secret: bytes, rest: bytes) -> bytes:
    return hashlib.sha256(enrol_port.to_bytes(2, "big") + secret + rest).digest()[:8]
