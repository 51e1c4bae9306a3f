"""The control plane's own certificate authority, and the certificates that it gives to itself and to hosts."""

import datetime
import ipaddress
import os
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from higgins import errors
from higgins.link.dialling import SERVER_NAME
from higgins.model.ids import HostId

HOST_LIFETIME = datetime.timedelta(days=7)
_AUTHORITY_LIFETIME = datetime.timedelta(days=20 * 365)
_SKEW = datetime.timedelta(hours=1)
"""By so much a host's clock may be late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCertificate:
    """What a host gets when it enrols, and again when it renews."""

    host_id: HostId
    certificate: bytes
    issued_at: float
    expires_at: float


class Authority:
    """Signs for one control plane. Its certificate is what hosts trust, its key what makes them trust."""

    def __init__(self, pair: KeyPair) -> None:
        """Raises Invalid if the two do not belong together or cannot be read."""
        try:
            self._certificate = x509.load_pem_x509_certificate(pair.certificate)
            key = serialization.load_pem_private_key(pair.key, password=None)
        except (ValueError, TypeError) as error:
            raise errors.Invalid(f"the link's certificate authority cannot be read: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self._certificate.public_key():
            raise errors.Invalid("the link's certificate authority has a key that is not the one of its certificate")
        self._key = key

    @classmethod
    def open(cls, directory: Path) -> "Authority":
        """The one kept in this directory; made on the first call. Raises Broken if it can be neither read nor written."""
        kept = directory / "link-authority.pem"
        try:
            if not kept.exists():
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                _keep(kept, _make_authority())
            text = kept.read_bytes()
        except OSError as error:
            raise errors.Broken(
                f"the link's certificate authority cannot be kept in {kept}: {error.strerror}; make the directory writable"
            ) from error
        return cls(KeyPair(certificate=text, key=text))

    @property
    def certificate(self) -> bytes:
        """PEM; what a host needs to know the control plane."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def certificate_der(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.DER)

    def server(self, addresses: Iterable[str] = ()) -> KeyPair:
        """A certificate for a replica of the control plane, for other tools also under its addresses. Its key is never stored: every start makes one."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(SERVER_NAME), *map(_alternative_name, addresses)]
        now = datetime.datetime.now(datetime.UTC)
        signed = (
            self._builder(key.public_key(), SERVER_NAME, now, _AUTHORITY_LIFETIME, ExtendedKeyUsageOID.SERVER_AUTH)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return KeyPair(certificate=signed.public_bytes(serialization.Encoding.PEM), key=_pem(key))

    def host(
        self, host_id: HostId, signing_request: bytes, *, lifetime: datetime.timedelta = HOST_LIFETIME
    ) -> HostCertificate:
        """A certificate for a host's key. What the request says about its subject is ignored. Raises Invalid for a bad request."""
        try:
            request = x509.load_pem_x509_csr(signing_request)
            if not request.is_signature_valid:
                raise InvalidSignature("the signature is wrong")
        except (ValueError, InvalidSignature) as error:
            raise errors.Invalid(f"the certificate signing request cannot be read: {error}") from error
        key = request.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise errors.Invalid("the certificate signing request must be for an elliptic curve key")
        now = datetime.datetime.now(datetime.UTC)
        signed = self._builder(key, host_id, now, lifetime, ExtendedKeyUsageOID.CLIENT_AUTH).sign(
            self._key, hashes.SHA256()
        )
        return HostCertificate(
            host_id=host_id,
            certificate=signed.public_bytes(serialization.Encoding.PEM),
            issued_at=now.timestamp(),
            expires_at=(now + lifetime).timestamp(),
        )

    def _builder(
        self,
        key: ec.EllipticCurvePublicKey,
        name: str,
        now: datetime.datetime,
        lifetime: datetime.timedelta,
        usage: x509.ObjectIdentifier,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - _SKEW, self._certificate.not_valid_before_utc))
            .not_valid_after(min(now + lifetime, self._certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            # A host's certificate must never pass for the control plane's: any host could then give orders to the others.
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def identity(certificate: bytes) -> tuple[HostId, str]:
    """The host that a verified certificate (PEM) is for, and its serial number in hexadecimal. Raises Unauthenticated if it is not for a host."""
    parsed = x509.load_pem_x509_certificate(certificate)
    names = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        host_id = str(uuid.UUID(str(names[0].value)))
    except (IndexError, ValueError) as error:
        raise errors.Unauthenticated("the certificate is not a host's") from error
    return HostId(host_id), f"{parsed.serial_number:x}"


def new_host_id() -> HostId:
    return HostId(str(uuid.uuid4()))


def request(name: str) -> tuple[bytes, bytes]:
    """A new private key for a host and the request to sign it, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    signing_request = x509.CertificateSigningRequestBuilder().subject_name(_name(name)).sign(key, hashes.SHA256())
    return _pem(key), signing_request.public_bytes(serialization.Encoding.PEM)


def _make_authority() -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    # Part of the name, so that a host that meets another control plane's authority does not take it for its own.
    name = _name(f"Higgins link {uuid.uuid4().hex[:12]}")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate=signed.public_bytes(serialization.Encoding.PEM), key=_pem(key))


def _keep(path: Path, pair: KeyPair) -> None:
    """Key and certificate in one file, so that there is never one without the other. The first of two that do this at once wins."""
    # mkstemp makes it readable by its owner only.
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pair.key + pair.certificate)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        os.unlink(name)


def _name(common_name: str) -> x509.Name:
    # 64 characters are all that the field holds.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _alternative_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
