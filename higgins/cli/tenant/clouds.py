"""The files of clouds that OpenStack's clients share: clouds.yaml, and secure.yaml beside it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from higgins import errors

_PLACES = (Path("."), Path("~/.config/openstack"), Path("/etc/openstack"))


def named(cloud: str) -> Mapping[str, Any]:
    """The cloud of that name, with its secrets. Raises NotFound if there is none, Invalid for a file that cannot be understood."""
    given = os.environ.get("OS_CLIENT_CONFIG_FILE")
    files = [Path(given)] if given else [place.expanduser() / "clouds.yaml" for place in _PLACES]
    path = next((file for file in files if file.is_file()), None)
    if path is None:
        raise errors.NotFound(f"OS_CLOUD is {cloud}, but there is no clouds.yaml in {', '.join(map(str, files))}")
    known = _clouds(path)
    if cloud not in known:
        failure = errors.NotFound(f"{path} has no cloud {cloud}")
        failure.add_note(f"It has: {', '.join(sorted(known)) or 'none'}.")
        raise failure
    secure = path.with_name("secure.yaml")
    return _merged(known[cloud], _clouds(secure).get(cloud, {}) if secure.is_file() else {})


def _clouds(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(path.read_text())
    except OSError as error:
        raise errors.Invalid(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise errors.Invalid(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    match found:
        case {"clouds": {**clouds}} if all(isinstance(each, dict) for each in clouds.values()):
            return {str(name): each for name, each in clouds.items()}
        case _:
            raise errors.Invalid(f"{path} has no clouds in it")


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> Mapping[str, Any]:
    """The second has the last word."""
    both = {**first, **second}
    for name in first.keys() & second.keys():
        if isinstance(first[name], dict) and isinstance(second[name], dict):
            both[name] = _merged(first[name], second[name])
    return both
