"""The control plane's end of the wire: listens, checks who calls, and gives every session to whoever serves sessions."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import grpc

from higgins import errors
from higgins.aio.beside import beside
from higgins.link import certificates, dialling, enrolment, envelopes, failures, higgins_pb2_grpc, live
from higgins.link import higgins_pb2 as wire
from higgins.link.certificates import Authority, HostCertificate
from higgins.link.directory import Call, Directory, Session
from higgins.link.enrolment import Tokens
from higgins.link.live import Kind
from higgins.link.messages import ControlChannel, ControlMessage, Hello, HostMessage, Welcome
from higgins.link.near import Near
from higgins.link.stream import Stream
from higgins.model.ids import HostId

log = logging.getLogger(__name__)

ACCEPTED = ("higgins-link", "1")
"""Sent at once on a stream that is welcome, so that the host knows before it says anything."""

_FIRST_WORD = 10.0
"""Seconds in which a host must say which call its stream is for."""

ServeSession = Callable[[HostId | None, ControlChannel], Awaitable[None]]
"""Serves one session to its end; cancelled when the stream breaks. The first message on the channel is Hello. The id is the one that the host has
proved, and then it is also the one in Hello; None on the Unix socket, whose users are trusted."""

Allowed = Callable[[HostId, str], Awaitable[bool]]
"""Whether a host may still come with the certificate of this serial number (hexadecimal)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where to listen; None: not there. Addresses are host:port."""

    link: str | None = None
    """With TLS, certificates required."""
    enrol: str | None = None
    """With TLS, no certificate asked: only enrolment."""
    names: tuple[str, ...] = ()
    """Under which addresses hosts reach the two."""
    socket: Path | None = None
    """Without TLS, for the user that runs this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrances:
    """Where hosts come in."""

    near: Near
    """For an agent in this process."""
    link: int = 0
    """The port, where 0 was asked for."""
    enrol: int = 0


class LinkServer:
    """Listens for hosts."""

    def __init__(
        self,
        *,
        directory: Directory,
        authority: Authority,
        tokens: Tokens,
        serve_session: ServeSession,
        allowed: Allowed,
    ) -> None:
        self._authority = authority
        self._gate = _Gate(authority, tokens)
        self._link = _Link(directory, authority, serve_session, allowed)

    @asynccontextmanager
    async def listen(self, doors: Doors, *, keepalive: float = dialling.KEEPALIVE) -> AsyncIterator[Entrances]:
        """Serve while the block runs; at its end all sessions end. Raises Unavailable if an address cannot be had."""
        link = grpc.aio.server(options=[*dialling.lasting(keepalive), ("grpc.so_reuseport", 0)])
        gate = grpc.aio.server(options=[("grpc.max_receive_message_length", 64 * 1024), ("grpc.so_reuseport", 0)])
        higgins_pb2_grpc.add_LinkServicer_to_server(self._link, link)
        live.serve(link, self._link.live)
        higgins_pb2_grpc.add_EnrolmentServicer_to_server(self._gate, gate)
        try:
            ports = self._open(doors, link, gate)
            await link.start()
            await gate.start()
            async with beside() as start:
                yield Entrances(near=Near(self._link.live, start), **ports)
        finally:
            await link.stop(None)
            await gate.stop(None)

    def _open(self, doors: Doors, link: grpc.aio.Server, gate: grpc.aio.Server) -> Mapping[str, int]:
        if doors.socket is not None:
            _open_socket(link, doors.socket)
        if doors.link is None and doors.enrol is None:
            return {}
        own = self._authority.server(doors.names)
        pair = [(own.key, own.certificate)]
        proof = grpc.ssl_server_credentials(pair, self._authority.certificate, require_client_auth=True)
        return {
            "link": _open_port(link, doors.link, proof),
            "enrol": _open_port(gate, doors.enrol, grpc.ssl_server_credentials(pair)),
        }


class _Gate(higgins_pb2_grpc.EnrolmentServicer):
    """What strangers may ask."""

    def __init__(self, authority: Authority, tokens: Tokens) -> None:
        self._authority = authority
        self._tokens = tokens

    async def Enrol(self, request: wire.EnrolRequest, context: Any) -> wire.Certificate:  # noqa: N802
        try:
            signed = await enrolment.admit(
                self._authority, self._tokens, request.secret, request.name, request.signing_request
            )
        except errors.Failure as failure:
            await _refuse(context, failure)
        log.info("enrolled host %s, who calls itself %r, from %s", signed.host_id, request.name, context.peer())
        return _pack(signed)


class _Link(higgins_pb2_grpc.LinkServicer):
    """What hosts may ask."""

    def __init__(
        self, directory: Directory, authority: Authority, serve_session: ServeSession, allowed: Allowed
    ) -> None:
        self._directory = directory
        self._authority = authority
        self._serve_session = serve_session
        self._allowed = allowed

    async def Renew(self, request: wire.RenewRequest, context: Any) -> wire.Certificate:  # noqa: N802
        try:
            host_id = await self._identify(context)
            if host_id is None:
                raise errors.Invalid("on the Unix socket there are no certificates")
            return _pack(self._authority.host(host_id, request.signing_request))
        except errors.Failure as failure:
            await _refuse(context, failure)

    async def Session(self, _requests: object, context: Any) -> None:  # noqa: N802
        try:
            host_id = await self._identify(context)
            await context.send_initial_metadata((ACCEPTED,))
            channel = _Channel(host_id, self._directory)
            try:
                async with beside() as start:
                    start(channel.write(context.write, envelopes.pack_control))
                    start(channel.read(context.read, envelopes.unpack_host, channel.accept))
                    await self._serve_session(host_id, channel)
                if channel.failure is not None:
                    raise channel.failure
            finally:
                channel.leave()
        except errors.Failure as failure:
            log.warning("a session of %s ended: %s", context.peer(), failure)
            await _refuse(context, failure)
        except Exception:  # the outermost of a session: whatever went wrong, the host comes again
            log.exception("a session of %s failed", context.peer())
            await _refuse(context, errors.Broken("the control plane failed to serve the session; its log says why"))

    async def live(self, _requests: object, context: Any) -> None:
        """The stream of one live call."""
        try:
            call = self._directory.claim(await _first_word(context), await self._identify(context))
            if call is None:
                raise errors.NotFound("nobody waits for the answer to this call")
        except errors.Failure as failure:
            await _refuse(context, failure)
        try:
            await context.send_initial_metadata((ACCEPTED,))
            async with beside() as start:
                start(_bring(context, call))
                start(_give(context, call))
                await call.over.wait()
        finally:
            call.break_off("the container's host broke off its answer; try again")

    async def _identify(self, context: Any) -> HostId | None:
        """The host that calls; None over the Unix socket. Raises Unauthenticated or Forbidden for one that may not."""
        if context.peer().startswith("unix:"):
            return None
        shown = context.auth_context().get("x509_pem_cert")
        if not shown:
            raise errors.Unauthenticated("the link wants a host's certificate: enrol with a join token")
        host_id, serial = certificates.identity(shown[0])
        if not await self._allowed(host_id, serial):
            raise errors.Forbidden(
                "this host was removed, or its certificate revoked: enrol again with a new join token"
            )
        return host_id


class _Channel(Stream[ControlMessage, HostMessage]):
    """The control plane's end of one session."""

    def __init__(self, proved: HostId | None, directory: Directory) -> None:
        super().__init__(lambda _: errors.Unavailable("the connection to the host was lost"))
        self._host_id = proved
        self._directory = directory
        self._session: Session | None = None

    async def send(self, message: ControlMessage) -> None:
        await super().send(message)
        # Welcome is the sign that the host is let in; before it, nobody should reach a host that may be turned away.
        if isinstance(message, Welcome) and self._session is None and self._host_id is not None:
            self._session = Session(self._host_id, super().send, self.end)
            self._directory.join(self._session)

    def accept(self, message: HostMessage) -> bool:
        if isinstance(message, Hello):
            if self._host_id not in (None, message.host_id):
                raise errors.Forbidden(f"the certificate is for host {self._host_id}, not for {message.host_id}")
            self._host_id = message.host_id
        return True

    def leave(self) -> None:
        self.end()
        if self._session is not None:
            self._directory.leave(self._session)


async def _first_word(context: Any) -> str:
    try:
        async with asyncio.timeout(_FIRST_WORD):
            first = await context.read()
    except TimeoutError as error:
        raise errors.Invalid("a live stream begins with the id of its call") from error
    known = first is not grpc.aio.EOF and live.kind(first) is Kind.CALL
    return live.content(first).decode(errors="replace") if known else ""


async def _bring(context: Any, call: Call) -> None:
    """Pass on what the host answers, as fast as it is taken."""
    try:
        while (answer := await context.read()) is not grpc.aio.EOF:
            if live.kind(answer) is Kind.TAKEN:
                call.input.confirm(live.unpack_number(live.content(answer)))
            else:
                await call.answers.put(answer)
    except (errors.Unavailable, *failures.BREAKS):
        return
    finally:
        call.break_off("the container's host broke off its answer; try again")


async def _give(context: Any, call: Call) -> None:
    """Pass on what the caller gives."""
    try:
        while (given := await call.input.take()) is not None:
            kind, parts = given
            await context.write(live.pack(kind, *parts))
    except failures.BREAKS:
        return


async def _refuse(context: Any, failure: errors.Failure) -> NoReturn:
    await context.abort(failures.status(failure), failure.message)
    raise failure  # not reached: abort raises


def _pack(signed: HostCertificate) -> wire.Certificate:
    return wire.Certificate(
        host_id=signed.host_id,
        certificate=signed.certificate,
        issued_at=signed.issued_at,
        expires_at=signed.expires_at,
    )


def _open_port(server: grpc.aio.Server, address: str | None, proof: grpc.ServerCredentials) -> int:
    if address is None:
        return 0
    try:
        port: int = server.add_secure_port(address, proof)
    except RuntimeError as error:
        raise errors.Unavailable(
            f"the link cannot listen on {address}: is the address this machine's, and the port free? Stop what uses it, or configure another"
        ) from error
    return port


def _open_socket(server: grpc.aio.Server, path: Path) -> None:
    # Set before the socket exists: between making it and chmod others could connect.
    former = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise errors.Unavailable(
            f"the link cannot listen on {path}: is its directory there, writable, and the path short?"
        ) from error
    finally:
        os.umask(former)
