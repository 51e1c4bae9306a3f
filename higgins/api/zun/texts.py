"""Parameters that may also come as text, in JSON or in YAML, and what no parameter may hold."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import yaml

from higgins import errors

_DEEPEST = 32
"""Levels of a body; nothing that the API knows has half as many."""
_WIDEST = 4096
"""Bits of a number; Python refuses to write down those of some more."""
_LONGEST_YAML = 32 * 1024
"""Bytes: a longer one would take a second to read, and nobody writes one by hand."""


class _Plain(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without aliases: a few lines of them stand for more than fits into memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not taken here", mark)
        return super().compose_node(parent, index)


def read(name: str, text: str) -> Mapping[Any, Any]:
    """The object that the text of a parameter holds. Raises Invalid that says where it ends to make sense."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        # What begins like JSON is meant to be JSON, unless it is one of the few lines of YAML that begin so too.
        found = _yaml(name, text, error)
    if not isinstance(found, dict):
        raise _refused(name, "It must hold an object, with keys such as kind, metadata and spec.")
    check(found)
    return found


def _yaml(name: str, text: str, otherwise: Exception) -> Any:
    if len(text.encode(errors="replace")) > _LONGEST_YAML:
        raise _refused(name, f"It is no JSON ({otherwise}), and longer than the {_LONGEST_YAML} bytes of YAML allowed.")
    try:
        return yaml.load(text, _Plain)
    except yaml.YAMLError as error:
        if text.lstrip().startswith("{"):
            raise _refused(name, f"It is neither JSON ({otherwise}) nor YAML.") from error
        raise _refused(name, f"It is neither JSON nor YAML: {' '.join(str(error).split())[:300]}") from error
    except (ValueError, RecursionError, OverflowError) as error:
        raise _refused(
            name, "It is neither JSON nor YAML: it has a number or a nesting that nobody can read."
        ) from error


def _refused(name: str, why: str) -> errors.Invalid:
    return errors.Invalid(f"Invalid input for field '{name}'. {why}", code="schema-validation-error")


def check(body: Any) -> None:
    """Refuse what would only be found out later, by a database, a runtime or a function that calls itself."""
    level: Sequence[Any] = [body]
    for _ in range(_DEEPEST):
        if any("\0" in one for one in level if isinstance(one, str)):
            raise errors.Invalid("The body has a NUL character in it, which nothing can hold.", code="invalid")
        if any(not _encodable(one) for one in level if isinstance(one, str)):
            raise errors.Invalid("The body has half a character in it, which nothing can hold.", code="invalid")
        if any(one.bit_length() > _WIDEST for one in level if isinstance(one, int)):
            raise errors.Invalid("The body has a number in it that is too large for anything.", code="invalid")
        level = [part for one in level for part in _parts(one)]
        if not level:
            return
    raise errors.Invalid("The body is nested too deeply.", code="invalid")


def _encodable(text: str) -> bool:
    """Whether it is Unicode: YAML can name lone surrogates."""
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parts(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return (*value.keys(), *value.values())
        case list():
            return value
        case _:
            return ()
