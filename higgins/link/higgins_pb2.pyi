from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnrolRequest(_message.Message):
    __slots__ = ("secret", "name", "signing_request")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNING_REQUEST_FIELD_NUMBER: _ClassVar[int]
    secret: bytes
    name: str
    signing_request: bytes
    def __init__(self, secret: _Optional[bytes] = ..., name: _Optional[str] = ..., signing_request: _Optional[bytes] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("signing_request",)
    SIGNING_REQUEST_FIELD_NUMBER: _ClassVar[int]
    signing_request: bytes
    def __init__(self, signing_request: _Optional[bytes] = ...) -> None: ...

class Certificate(_message.Message):
    __slots__ = ("host_id", "certificate", "issued_at", "expires_at")
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    host_id: str
    certificate: bytes
    issued_at: float
    expires_at: float
    def __init__(self, host_id: _Optional[str] = ..., certificate: _Optional[bytes] = ..., issued_at: _Optional[float] = ..., expires_at: _Optional[float] = ...) -> None: ...

class HostEnvelope(_message.Message):
    __slots__ = ("hello", "heartbeat", "report")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    hello: bytes
    heartbeat: bytes
    report: bytes
    def __init__(self, hello: _Optional[bytes] = ..., heartbeat: _Optional[bytes] = ..., report: _Optional[bytes] = ...) -> None: ...

class ControlEnvelope(_message.Message):
    __slots__ = ("welcome", "whole", "changed", "withdrawn", "acknowledged", "open_call", "gone")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    OPEN_CALL_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    welcome: bytes
    whole: bytes
    changed: bytes
    withdrawn: bytes
    acknowledged: bytes
    open_call: OpenCall
    gone: bytes
    def __init__(self, welcome: _Optional[bytes] = ..., whole: _Optional[bytes] = ..., changed: _Optional[bytes] = ..., withdrawn: _Optional[bytes] = ..., acknowledged: _Optional[bytes] = ..., open_call: _Optional[_Union[OpenCall, _Mapping]] = ..., gone: _Optional[bytes] = ...) -> None: ...

class OpenCall(_message.Message):
    __slots__ = ("call_id", "read_logs", "execute", "kill", "enter", "attach", "resize", "list_processes", "read_usage", "get_archive", "put_archive", "commit", "pull_image", "remove_image", "search_images", "launch")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    READ_LOGS_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    KILL_FIELD_NUMBER: _ClassVar[int]
    ENTER_FIELD_NUMBER: _ClassVar[int]
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    RESIZE_FIELD_NUMBER: _ClassVar[int]
    LIST_PROCESSES_FIELD_NUMBER: _ClassVar[int]
    READ_USAGE_FIELD_NUMBER: _ClassVar[int]
    GET_ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    PUT_ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    PULL_IMAGE_FIELD_NUMBER: _ClassVar[int]
    REMOVE_IMAGE_FIELD_NUMBER: _ClassVar[int]
    SEARCH_IMAGES_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    read_logs: bytes
    execute: bytes
    kill: bytes
    enter: bytes
    attach: bytes
    resize: bytes
    list_processes: bytes
    read_usage: bytes
    get_archive: bytes
    put_archive: bytes
    commit: bytes
    pull_image: bytes
    remove_image: bytes
    search_images: bytes
    launch: bytes
    def __init__(self, call_id: _Optional[str] = ..., read_logs: _Optional[bytes] = ..., execute: _Optional[bytes] = ..., kill: _Optional[bytes] = ..., enter: _Optional[bytes] = ..., attach: _Optional[bytes] = ..., resize: _Optional[bytes] = ..., list_processes: _Optional[bytes] = ..., read_usage: _Optional[bytes] = ..., get_archive: _Optional[bytes] = ..., put_archive: _Optional[bytes] = ..., commit: _Optional[bytes] = ..., pull_image: _Optional[bytes] = ..., remove_image: _Optional[bytes] = ..., search_images: _Optional[bytes] = ..., launch: _Optional[bytes] = ...) -> None: ...
