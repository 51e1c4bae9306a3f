"""The control plane's own certificate authority."""

import stat
from pathlib import Path

import pytest

from higgins import errors
from higgins.link import certificates
from higgins.link.certificates import Authority, KeyPair
from higgins.model.ids import HostId


def host_certificate(authority: Authority, host_id: HostId) -> certificates.HostCertificate:
    _, request = certificates.request("whatever")
    return authority.host(host_id, request)


def test_an_authority_is_made_once_and_only_its_owner_reads_the_key(tmp_path: Path):
    first, second = Authority.open(tmp_path), Authority.open(tmp_path)
    assert first.certificate == second.certificate
    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o600]


def test_an_authority_can_be_given(tmp_path: Path):
    Authority.open(tmp_path)
    text = next(tmp_path.iterdir()).read_bytes()
    assert Authority(KeyPair(certificate=text, key=text)).certificate == Authority.open(tmp_path).certificate


def test_a_key_and_a_certificate_of_different_authorities_are_refused(tmp_path: Path):
    mine = Authority.open(tmp_path / "a")
    Authority.open(tmp_path / "b")
    other = next((tmp_path / "b").iterdir()).read_bytes()
    with pytest.raises(errors.Invalid):
        Authority(KeyPair(certificate=mine.certificate, key=other))
    with pytest.raises(errors.Invalid):
        Authority(KeyPair(certificate=b"", key=other))


def test_where_it_cannot_be_kept_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.Broken, match=str(tmp_path / "file")):
        Authority.open(tmp_path / "file")


def test_a_host_is_known_by_its_certificate_whatever_it_called_itself(tmp_path: Path):
    authority, host_id = Authority.open(tmp_path), certificates.new_host_id()
    one, another = host_certificate(authority, host_id), host_certificate(authority, host_id)
    assert certificates.identity(one.certificate)[0] == host_id
    assert certificates.identity(one.certificate)[1] != certificates.identity(another.certificate)[1]
    assert one.expires_at - one.issued_at == certificates.HOST_LIFETIME.total_seconds()


def test_the_control_planes_own_certificate_is_no_hosts(tmp_path: Path):
    with pytest.raises(errors.Unauthenticated):
        certificates.identity(Authority.open(tmp_path).server(["10.0.0.1", "control.example.org"]).certificate)


@pytest.mark.parametrize("request_", [b"", b"nonsense", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END"])
def test_a_bad_signing_request_is_the_hosts_fault(tmp_path: Path, request_: bytes):
    with pytest.raises(errors.Invalid):
        Authority.open(tmp_path).host(certificates.new_host_id(), request_)
