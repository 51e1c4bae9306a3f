"""What a host keeps of its enrolment: who it is, where the control plane is, and how both prove it."""

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from higgins import errors
from higgins.logic import documents
from higgins.model.ids import HostId

_FILE = "credentials.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Keys and certificates are PEM, times seconds since the epoch."""

    host_id: HostId
    name: str
    address: str
    """Of the control plane, host:port."""
    authority: str
    certificate: str
    key: str
    issued_at: float
    expires_at: float
    join_digest: str
    """Of the token that it enrolled with."""

    def renewed(self, certificate: str, key: str, issued_at: float, expires_at: float) -> "Credentials":
        return replace(self, certificate=certificate, key=key, issued_at=issued_at, expires_at=expires_at)

    def renew_at(self) -> float:
        """After two thirds of the certificate's life: a third is left to try."""
        return self.issued_at + (self.expires_at - self.issued_at) * 2 / 3


def load(directory: Path) -> Credentials | None:
    """What was saved, None before the first enrolment. Raises Broken if it cannot be read."""
    path = directory / _FILE
    try:
        return documents.decode(path.read_bytes(), Credentials)
    except FileNotFoundError:
        return None
    except (OSError, errors.Broken) as error:
        raise errors.Broken(
            f"{path} cannot be read ({error}): remove it and enrol again with a new join token"
        ) from error


def save(directory: Path, credentials: Credentials) -> None:
    """Readable by the owner only; whole or not at all, whenever the machine dies. Raises Broken if it cannot be written."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(documents.encode(credentials))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, directory / _FILE)
        except OSError:
            os.unlink(name)
            raise
    except OSError as error:
        raise errors.Broken(f"the host's credentials cannot be kept in {directory}: {error.strerror}") from error
