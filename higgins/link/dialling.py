"""How connections are opened: their options, what both ends prove, and what went wrong in words."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from higgins import errors
from higgins.link.credentials import Credentials

SERVER_NAME = "control-plane.higgins.internal"
"""In every server certificate. Hosts check for this name and not for the address that they dialled, so that the control plane can stand behind any
load balancer or address translation: the authority signs for nobody else."""

KEEPALIVE = 10.0
"""Seconds between two pings, and until an answer: a dead peer is noticed after twice that."""

LARGEST = 256 * 1024 * 1024
"""Bytes in one message: Changed for tens of thousands of capsules."""

Option = tuple[str, int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What both ends prove to each other, PEM."""

    authority: str
    certificate: str | None = None
    """None: before enrolment there is none."""
    key: str | None = None
    expires_at: float | None = None

    @classmethod
    def of(cls, held: Credentials) -> "Trust":
        return cls(authority=held.authority, certificate=held.certificate, key=held.key, expires_at=held.expires_at)


@asynccontextmanager
async def dial(address: str, trust: Trust | None, *, keepalive: float = KEEPALIVE) -> AsyncIterator[grpc.aio.Channel]:
    """A gRPC channel to `address` (host:port, or unix:/path with no trust needed). Nothing is sent before the first call."""
    if trust is not None and trust.expires_at is not None and trust.expires_at < time.time():
        raise errors.Unavailable(
            "this host's certificate has expired while the control plane was out of reach: enrol again with a new join token"
            " (`higgins host token`)"
        )
    options: list[Option] = [
        *lasting(keepalive),
        # Proxies set in the environment are there for images.
        ("grpc.enable_http_proxy", 0),
    ]
    if trust is None:
        channel = grpc.aio.insecure_channel(address, options=options)
    else:
        proof = grpc.ssl_channel_credentials(
            trust.authority.encode(),
            trust.key.encode() if trust.key else None,
            trust.certificate.encode() if trust.certificate else None,
        )
        options.append(("grpc.ssl_target_name_override", SERVER_NAME))
        channel = grpc.aio.secure_channel(address, proof, options=options)
    async with channel:
        yield channel


def lasting(keepalive: float) -> Sequence[Option]:
    """The options of connections that stand for weeks; both ends have the same."""
    milliseconds = int(keepalive * 1000)
    return (
        ("grpc.keepalive_time_ms", milliseconds),
        ("grpc.keepalive_timeout_ms", milliseconds),
        # A ping that is not answered ends the connection after the longer of the two.
        ("grpc.http2.ping_timeout_ms", milliseconds),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # The other end pings as often as this one, which is not an attack.
        ("grpc.http2.min_ping_interval_without_data_ms", milliseconds // 2),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.max_send_message_length", LARGEST),
        ("grpc.max_receive_message_length", LARGEST),
    )


def translate(error: grpc.aio.AioRpcError, address: str) -> errors.Failure:
    """What it means for whoever dialled `address`."""
    said = error.details() or ""
    match error.code():
        case grpc.StatusCode.UNAUTHENTICATED:
            return errors.Unauthenticated(said)
        case grpc.StatusCode.INVALID_ARGUMENT:
            return errors.Invalid(said)
        case grpc.StatusCode.FAILED_PRECONDITION:
            return errors.Conflict(said)
        case grpc.StatusCode.UNAVAILABLE if "CERTIFICATE_VERIFY_FAILED" in said:
            return errors.Unavailable(
                f"the control plane at {address} is not the one that this host enrolled with, or the clocks differ: its certificate is not"
                " to be trusted. Check the address and the clocks; if the control plane was set up anew, enrol again with a new join token"
            )
        # With TLS 1.3 a client whose certificate is refused sees no more than this.
        case grpc.StatusCode.UNAVAILABLE if "Socket closed" in said:
            return errors.Unavailable(
                f"the control plane at {address} closed the connection: it is stopping, or it does not trust this host's certificate (the"
                " clocks differ, or it was set up anew). If this stays so, enrol again with a new join token"
            )
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED:
            return errors.Unavailable(
                f"no control plane answers at {address}: is `higgins serve` running, and the way to it open? ({said})"
            )
        case _:
            return errors.Unavailable(f"the control plane at {address} refused: {said}")
