"""Messages in their envelopes: the kind says how the document inside is read."""

from collections.abc import Mapping

from higgins.link import higgins_pb2 as wire
from higgins.link import messages
from higgins.logic import documents
from higgins.model import live

_HOST: Mapping[str, type[messages.HostMessage]] = {
    "hello": messages.Hello,
    "heartbeat": messages.Heartbeat,
    "report": messages.Report,
}
_CONTROL: Mapping[str, type[messages.ControlMessage]] = {
    "welcome": messages.Welcome,
    "whole": messages.Whole,
    "changed": messages.Changed,
    "withdrawn": messages.Withdrawn,
    "acknowledged": messages.Acknowledged,
    "gone": messages.Gone,
}
REQUESTS: Mapping[str, type[live.LiveRequest]] = {
    "read_logs": live.ReadLogs,
    "execute": live.Execute,
    "kill": live.Kill,
    "enter": live.Enter,
    "attach": live.Attach,
    "resize": live.Resize,
    "list_processes": live.ListProcesses,
    "read_usage": live.ReadUsage,
    "get_archive": live.GetArchive,
    "put_archive": live.PutArchive,
    "commit": live.Commit,
    "pull_image": live.PullImage,
    "remove_image": live.RemoveImage,
    "search_images": live.SearchImages,
    "launch": live.Launch,
}
_KINDS = {kind: name for kinds in (_HOST, _CONTROL, REQUESTS) for name, kind in kinds.items()}


def pack_host(message: messages.HostMessage) -> wire.HostEnvelope:
    return wire.HostEnvelope(**{_KINDS[type(message)]: documents.encode(message)})


def pack_control(message: messages.ControlMessage) -> wire.ControlEnvelope:
    envelope = wire.ControlEnvelope()
    if isinstance(message, messages.OpenCall):
        envelope.open_call.call_id = message.call_id
        setattr(envelope.open_call, _KINDS[type(message.request)], documents.encode(message.request))
    else:
        setattr(envelope, _KINDS[type(message)], documents.encode(message))
    return envelope


def unpack_host(envelope: wire.HostEnvelope) -> messages.HostMessage | None:
    """None for a kind that only a newer host knows. Raises Broken for a document that cannot be read."""
    name = envelope.WhichOneof("message")
    return documents.decode(getattr(envelope, name), _HOST[name]) if name else None


def unpack_control(envelope: wire.ControlEnvelope) -> messages.ControlMessage | None:
    """None for a kind that only a newer control plane knows. Raises Broken for a document that cannot be read."""
    name = envelope.WhichOneof("message")
    if name == "open_call":
        return _unpack_call(envelope.open_call)
    return documents.decode(getattr(envelope, name), _CONTROL[name]) if name else None


def _unpack_call(call: wire.OpenCall) -> messages.OpenCall | None:
    name = call.WhichOneof("request")
    if name is None:
        return None
    return messages.OpenCall(call_id=call.call_id, request=documents.decode(getattr(call, name), REQUESTS[name]))
