"""From what people type to a container, or a capsule: its name, its id, or the beginning of its id."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from higgins import errors
from higgins.cli import meant
from higgins.client.cloud import Cloud, Document, path

Result = TypeVar("Result")

SHORT = 8
"""Characters of an id that are shown: up to its first dash."""
_STATE = re.compile(r"Cannot (?P<verb>\S+) container \S+ in (?P<state>\S+) state")
_REMEDIES = {
    "Created": ["Start it: higgins start {}"],
    "Stopped": ["Start it: higgins start {}"],
    "Paused": ["Let it go on: higgins unpause {}"],
    "Error": ["Its story: higgins history {}"],
}
_NAMESAKES = re.compile(r"Multiple [\w ]+ exist with same name")
_LISTINGS = {
    "containers": "higgins ps -a",
    "capsules": "higgins capsule ls",
    "networks": "higgins network ls",
    "security_groups": "higgins security-group ls",
    "volumes": "higgins volume ls",
}
_BEGINNING = re.compile(r"[0-9a-f]+(-[0-9a-f]*)*")


def short(one: Document) -> str:
    """The beginning of an id."""
    return str(one["uuid"])[:SHORT]


def act(cloud: Cloud, given: str, ask: Callable[[str], Result], noun: str = "containers") -> Result:
    """Ask for something of the container that is meant: by the word as it was given, and if nobody is called so by the id that begins with it.

    Raises NotFound, with names that are near, and Conflict if it could be several.
    """
    try:
        return _asked(given, given, ask)
    except errors.NotFound as missing:
        known = every(cloud, noun)
        found = beginning(given, known)
        if found is None:
            raise _unknown(
                given, [str(one["name"]) for one in known if one["name"]], missing, _LISTINGS[noun]
            ) from missing
        return _asked(given, str(found["uuid"]), ask)
    except errors.Conflict as refusal:
        if not _NAMESAKES.match(refusal.message):
            raise
        raise _several(given, [one for one in every(cloud, noun) if one["name"] == given], "give an id") from refusal


def one(cloud: Cloud, given: str, noun: str) -> Document:
    """The one that is meant. Raises as `act` does."""
    found: Document = act(cloud, given, lambda name: cloud.get(path(noun, name)), noun)
    return found


def check_unused(cloud: Cloud, name: str, noun: str, *, shared: bool = False) -> None:
    """What is named by people has a name of its own, though the service does not insist on it. Raises Conflict."""
    for one in cloud.pages(path(noun), noun, {"name": name}):
        if one["name"] == name and (one["project_id"] is None) is shared:
            failure = errors.Conflict(f"there is a {noun.removesuffix('s').replace('_', ' ')} {name} already")
            failure.add_note(f"Look at it: {showing(noun, name)}")
            raise failure


def showing(noun: str, given: str) -> str:
    """The command that shows it."""
    return f"{_LISTINGS[noun].removesuffix('ls')}show {given}"


def _asked(given: str, name: str, ask: Callable[[str], Result]) -> Result:
    with refusals(given):
        return ask(name)


@contextmanager
def refusals(given: str) -> Iterator[None]:
    """A refusal for the state that it is in says how to change that."""
    try:
        yield
    except errors.Conflict as refusal:
        found = _STATE.fullmatch(refusal.message)
        if found is None:
            raise
        failure = errors.Conflict(f"cannot {found['verb'].replace('_', ' ')} {given}: it is {found['state']}")
        for note in getattr(refusal, "__notes__", ()) or _REMEDIES.get(found["state"], ()):
            failure.add_note(note.replace("{}", given))
        raise failure from refusal


def every(cloud: Cloud, noun: str = "containers") -> Sequence[Document]:
    """All containers of the project, or all capsules."""
    return list(cloud.pages(path(noun), noun, {}))


def beginning(given: str, among: Sequence[Document]) -> Document | None:
    """The only one whose id begins so. Raises Conflict, with a list, if there are several."""
    if not _BEGINNING.fullmatch(given.lower()):
        return None
    found = [one for one in among if str(one["uuid"]).startswith(given.lower())]
    if len(found) > 1:
        raise _several(given, found, "give more of the id, or the name")
    return found[0] if found else None


def _several(given: str, found: Sequence[Document], remedy: str) -> errors.Conflict:
    failure = errors.Conflict(f"{given} could be each of {len(found)}: {remedy}")
    for one in found[:20]:
        failure.add_note(f"  {one['uuid']}  {one.get('name') or ''}  {one.get('status', '')}".rstrip())
    return failure


def near(given: str, names: Sequence[str], listing: str) -> errors.NotFound:
    """There is nothing of that name; perhaps one of these was meant, which that command lists."""
    return _unknown(given, names, errors.NotFound(""), listing)


def _unknown(given: str, names: Sequence[str], missing: errors.NotFound, listing: str) -> errors.NotFound:
    failure = errors.NotFound(missing.message or f"there is no {given}")
    failure.add_note(meant.question(given, names) or f"`{listing}` lists all that there are.")
    return failure
