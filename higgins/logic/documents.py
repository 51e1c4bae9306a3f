"""Model values to JSON documents and back.

One encoding serves the store and the link, so that a new field is added in the model alone. A field that a document lacks takes its default, and
one that the model does not know is ignored: both sides of an upgrade read each other.
"""

import threading
from typing import Any, TypeVar

import msgspec

from higgins import errors

Value = TypeVar("Value")

_encoder = msgspec.json.Encoder()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
# What msgspec finds out about a dataclass it keeps with the class before it knows all of it; a second thread that comes upon that takes the whole
# process down.
_making = threading.Lock()


def encode(value: Any) -> bytes:
    """A model value, or a tuple of them, as a JSON document."""
    return _encoder.encode(value)


def decode(document: bytes | str, kind: type[Value]) -> Value:
    """The value that a document holds. Raises Broken if it does not hold one of that kind."""
    decoder = _decoders.get(kind) or _made(kind)
    try:
        value: Value = decoder.decode(document)
    except msgspec.MsgspecError as error:
        raise errors.Broken(
            f"a stored or received {getattr(kind, '__name__', kind)} cannot be read: {error}"
        ) from error
    return value


def _made(kind: Any) -> msgspec.json.Decoder[Any]:
    with _making:
        if kind not in _decoders:
            _decoders[kind] = msgspec.json.Decoder(kind)
        return _decoders[kind]
