"""Secrets at rest: encrypted with a key that lies outside of the database."""

import logging
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from higgins import errors

log = logging.getLogger(__name__)


class Secrets:
    """Encrypts and decrypts with the keys of a file: a Fernet key a line, of which the first encrypts and all decrypt.

    The file is read when a secret is first needed, so that a service whose key is missing does everything else.
    """

    def __init__(self, file: Path, *, make: bool) -> None:
        """With `make` the file is made, with a new key, when something is to be encrypted and there is none."""
        self._file = file
        self._make = make
        self._keys: MultiFernet | None = None
        self._said: str | None = None

    def encrypt(self, secret: str) -> str:
        """Raises Unavailable where there is no key."""
        if self._make and not self._file.exists():
            self._made()
        return self._read().encrypt(secret.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Raises Unavailable where the key that it was encrypted with is not to be had."""
        try:
            return self._read().decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise self._trouble(
                f"{self._file} does not hold the key that they were encrypted with; put that key back"
            ) from error

    def renew(self, token: str) -> str:
        """The same secret, encrypted with the first key; raises what `decrypt` does."""
        try:
            return self._read().rotate(token.encode()).decode()
        except InvalidToken as error:
            raise self._trouble(
                f"{self._file} does not hold the key that they were encrypted with; put that key back"
            ) from error

    def _read(self) -> MultiFernet:
        if self._keys is None:
            try:
                lines = self._file.read_text().split("\n")
                keys = [Fernet(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
            except FileNotFoundError as error:
                raise self._trouble(f"the key file {self._file} is missing; put it back") from error
            except (OSError, ValueError) as error:
                raise self._trouble(
                    f"the key file {self._file} cannot be read; it holds a Fernet key a line"
                ) from error
            if not keys:
                raise self._trouble(f"the key file {self._file} is empty")
            self._keys = MultiFernet(keys)
        return self._keys

    def _made(self) -> None:
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(Fernet.generate_key() + b"\n")
                file.flush()
                os.fsync(descriptor)
            try:
                # Whole or not at all, and the first of two that do this at once has the last word.
                os.link(fresh, self._file)
                log.info("made the key %s; keep a copy: without it stored passwords are lost", self._file)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        except OSError as error:
            raise self._trouble(f"the key file {self._file} cannot be written: {error.strerror}") from error

    def _trouble(self, what: str) -> errors.Unavailable:
        # The caller can do nothing about it and need not know where the key lies.
        if self._said != what:
            log.error("stored passwords cannot be used: %s", what)
        self._said = what
        return errors.Unavailable("Stored passwords cannot be used now; tell the operator, whose log says why.")
