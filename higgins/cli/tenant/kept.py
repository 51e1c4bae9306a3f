"""What is kept between commands: the saved login, and tokens that are still good. Only their owner can read it."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from higgins import errors

_SPARE = 60.0
"""Seconds that a token must still be good for, to be worth using."""


def login() -> Mapping[str, Any] | None:
    """The saved login, None if there is none. Raises Invalid if it cannot be read."""
    path = _login_file()
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise errors.Invalid(f"the saved login {path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise errors.Invalid(f"the saved login {path} is not what `higgins login` wrote")
    return found


def save_login(document: Mapping[str, Any]) -> Path:
    """Replace what was saved before. Returns where."""
    _write(_login_file(), document)
    return _login_file()


def forget_login() -> None:
    """Succeeds if there is none."""
    _login_file().unlink(missing_ok=True)


def token(key: str) -> Mapping[str, Any] | None:
    """What was remembered of a login, if its token is still good for a while."""
    found = _tokens().get(key)
    return found if found and found["expires_at"] > time.time() + _SPARE else None


def remember(key: str, document: Mapping[str, Any] | None) -> None:
    """Keep it for the next command; None forgets it. That it cannot be kept costs the next command a login, and is no failure."""
    now = time.time()
    good = {name: each for name, each in _tokens().items() if each["expires_at"] > now and name != key}
    if document is not None:
        good[key] = document
    try:
        _write(_token_file(), good)
    except errors.Unavailable:
        return


def _tokens() -> dict[str, Any]:
    try:
        found = json.loads(_token_file().read_bytes())
        return {key: each for key, each in found.items() if isinstance(each["expires_at"], int | float)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _login_file() -> Path:
    return _home("XDG_CONFIG_HOME", ".config") / "login.json"


def _token_file() -> Path:
    return _home("XDG_CACHE_HOME", ".cache") / "tokens.json"


def _home(variable: str, otherwise: str) -> Path:
    given = os.environ.get(variable)
    return (Path(given) if given else Path.home() / otherwise) / "higgins"


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Whole or not at all: whoever reads meanwhile sees what was there before."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{path}.{os.getpid()}"
        with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
            json.dump(document, file, indent=2)
        os.replace(name, path)
    except OSError as error:
        raise errors.Unavailable(f"{path} cannot be written: {error.strerror}") from error
