"""What is asked of a container's host and answered at once: signals, logs, commands, terminals, figures, files, images made of it."""

import base64
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from higgins import errors
from higgins.api.zun import form, forms, pieces, translate, values, views
from higgins.api.zun.form import Form, Gate
from higgins.api.zun.microversion import Version
from higgins.api.zun.values import said
from higgins.api.zun.verbs import NULL, Answer, Ask, Door, Stream
from higgins.model.live import PathStat, Processes
from higgins.service.consoles import Ticket
from higgins.service.live import Load

TAR = "application/x-tar"
PLAIN = "text/plain"
_OURS = Version(1, 41)
_ENCODED = Version(1, 25)
"""From here on archives travel in base64."""
_NO_STORE = {"Cache-Control": "no-store"}
"""For answers that hold a token."""
_PIECE = 64 * 1024

ExecId = Annotated[str, Meta(min_length=64, max_length=64, pattern="^[a-f0-9]*$(?!\n)")]
Path = Annotated[str, Meta(min_length=1, max_length=4096)]
Repository = Annotated[str, Meta(min_length=1, max_length=255)]
Tag = Annotated[str, Meta(min_length=1, max_length=128)]

_encode = msgspec.json.Encoder().encode


class AttachTerminal(Struct, forbid_unknown_fields=True, kw_only=True):
    """What of a container's input and output is wanted."""

    stdin: Annotated[values.Truth | None, said("Whether its input is wanted; nothing: yes.")] = None
    logs: Annotated[values.Truth | None, said("Whether what it printed before comes first; nothing: no.")] = None


class ResizeTerminal(Struct, forbid_unknown_fields=True, kw_only=True):
    """The size of a terminal, in columns and rows."""

    w: Annotated[values.Extent, said("Columns.")]
    h: Annotated[values.Extent, said("Rows.")]


class ResizeExec(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which command's terminal, and its size in columns and rows."""

    exec_id: Annotated[ExecId, said("As execute with run=false gave it.")]
    w: Annotated[values.Extent, said("Columns.")]
    h: Annotated[values.Extent, said("Rows.")]


class ListProcesses(Struct, forbid_unknown_fields=True, kw_only=True):
    """The arguments of `ps`."""

    ps_args: Annotated[
        Annotated[str, Meta(max_length=1024)] | None,
        said("The arguments that ps is run with on the host; None and nothing: -ef."),
    ] = None


class GetArchive(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which file or directory."""

    path: Annotated[Path, said("Where it lies in the container.")]


class PutArchive(Struct, forbid_unknown_fields=True, kw_only=True):
    """A tar archive, and the directory that it is unpacked into."""

    path: Annotated[Path, said("The directory, which must be there.")]
    data: Annotated[
        str | None,
        said(
            "The archive: in base64 from version 1.25 on, before that as text. Not where the body is the archive itself."
        ),
    ] = None


class CommitContainer(Struct, forbid_unknown_fields=True, kw_only=True):
    """What the image is called."""

    repository: Annotated[Repository, said("Its name, without a tag.")]
    tag: Annotated[Tag | None, said("Its tag; nothing: latest.")] = None


class ProcessTable(Struct, kw_only=True):
    """What runs in a container, as `ps` prints it."""

    titles: tuple[str, ...] = field(name="Titles")
    processes: tuple[tuple[str, ...], ...] = field(name="Processes")


class Stats(Struct, kw_only=True):
    """What a container uses. The CPU is a rate: 100 is one core."""

    container: Annotated[str, said("The name of the container.")] = field(name="CONTAINER")
    cpu: Annotated[float, said("A rate since the reading before: 100 is one core.")] = field(name="CPU %")
    memory: Annotated[float, said("Without what is only cached.")] = field(name="MEM USAGE(MiB)")
    memory_limit: Annotated[float, said("What it may use; that of the host where there is no limit.")] = field(
        name="MEM LIMIT(MiB)"
    )
    memory_share: Annotated[float, said("Of what it may use.")] = field(name="MEM %")
    block: Annotated[str, said("Bytes read and written, with a slash between them.")] = field(name="BLOCK I/O(B)")
    net: Annotated[str, said("Bytes received and sent, with a slash between them.")] = field(name="NET I/O(B)")
    read_at: Annotated[str | UnsetType, said("From version 1.41 on. When this was read.")] = UNSET
    cpu_seconds: Annotated[float | UnsetType, said("From version 1.41 on. CPU time used since it was started.")] = UNSET
    system_cpu_seconds: Annotated[
        float | UnsetType, said("From version 1.41 on. CPU time that all cores of the host had since it was started.")
    ] = UNSET
    cores: Annotated[int | UnsetType, said("From version 1.41 on. Of the host.")] = UNSET
    memory_bytes: Annotated[int | UnsetType, said("From version 1.41 on. Memory, exactly.")] = UNSET
    memory_limit_bytes: Annotated[int | UnsetType, said("From version 1.41 on. What it may use, exactly.")] = UNSET
    block_read_bytes: Annotated[int | UnsetType, said("From version 1.41 on. Since it was started.")] = UNSET
    block_written_bytes: Annotated[int | UnsetType, said("From version 1.41 on. Since it was started.")] = UNSET
    received_bytes: Annotated[
        int | UnsetType, said("From version 1.41 on. Over all interfaces, since it was started.")
    ] = UNSET
    sent_bytes: Annotated[int | UnsetType, said("From version 1.41 on. Over all interfaces, since it was started.")] = (
        UNSET
    )
    pids: Annotated[int | UnsetType, said("From version 1.41 on. Processes and threads.")] = UNSET


class Stat(Struct, kw_only=True):
    """What is at a path inside a container."""

    name: str
    size: int
    mode: int
    mtime: str
    link_target: str = field(name="linkTarget")


class Archive(Struct, kw_only=True):
    """A file or directory as a tar archive; in base64 from version 1.25 on."""

    data: str
    stat: Stat


class Committed(Struct, kw_only=True):
    """The image."""

    uuid: str


ATTACH: Form[AttachTerminal] = Form(
    params=AttachTerminal,
    strict=False,
    gates=(
        Gate("stdin", _OURS, lambda a: a.stdin is not None),
        Gate("logs", _OURS, lambda a: a.logs is not None),
    ),
)
RESIZE = Form(params=ResizeTerminal)
EXECUTE_RESIZE = Form(params=ResizeExec)
TOP = Form(params=ListProcesses)
GET_ARCHIVE = Form(params=GetArchive, strict=False)
PUT_ARCHIVE = Form(params=PutArchive, strict=False, opaque=("data",))
COMMIT = Form(params=CommitContainer)


async def kill(door: Door, ask: Ask[forms.KillContainer]) -> Answer:
    """Send a signal to a container's first process."""
    signal = str(ask.params.signal or "SIGKILL")
    if signal == "SIGKILL":
        # The one that is a change of state: what is killed so shall not run, whatever its restart policy says.
        await door.services.containers.kill(ask.caller, ask.request, ask.path[0])
    else:
        await door.services.live.kill(ask.caller, ask.request, ask.path[0], signal=signal)
    return NULL


async def logs(door: Door, ask: Ask[forms.ReadLogs]) -> Stream:
    """What a container printed, as one JSON string; with `follow`, from 1.41 on, as plain text that goes on until it ends."""
    asked = ask.params
    follow = bool(asked.follow)
    printed = await ask.held.enter_async_context(
        door.services.live.logs(
            ask.caller,
            ask.path[0],
            stdout=asked.stdout is None or bool(asked.stdout),
            stderr=asked.stderr is None or bool(asked.stderr),
            timestamps=bool(asked.timestamps),
            tail=None if asked.tail is None or asked.tail < 0 else int(asked.tail),
            since=None if asked.since is None else float(asked.since),
            follow=follow,
        )
    )
    if follow:
        return Stream(pieces=printed, content_type=PLAIN, lasting=True)
    return Stream(pieces=pieces.quoted(printed))


async def execute(door: Door, ask: Ask[forms.ExecuteCommand]) -> Answer:
    """Run a command inside a container to its end; with `run=false` get the address of a WebSocket that runs it, with `detach` (1.41) only begin it."""
    asked = ask.params
    command = translate.words(asked.command, "command")
    if not command:
        raise form.invalid("command", "It must have at least one word.", value=asked.command)
    interactive = bool(asked.interactive)
    if asked.detach:
        if asked.run is not None and not asked.run:
            raise form.invalid("detach", "It excludes run=false: nobody sits at what is left to itself.", value=True)
        exec_id = await door.services.live.launch(ask.caller, ask.path[0], command, terminal=bool(asked.tty))
        return Answer(_encode(views.Executed(output=None, exit_code=None, exec_id=exec_id, proxy_url=None)))
    if asked.run is None or asked.run:
        result = await door.services.live.execute(ask.caller, ask.path[0], command, interactive=interactive)
        return Answer(_encode(views.executed(result)))
    # Zun's word for both is `interactive`; ours are two, and each is yes unless it is no.
    stdin = interactive if ask.version < _OURS else asked.stdin is None or bool(asked.stdin)
    ticket = await door.services.live.enter(
        ask.caller, ask.path[0], command, terminal=asked.tty is None or bool(asked.tty), stdin=stdin
    )
    entered = views.Executed(output=None, exit_code=None, exec_id=ticket.exec_id, proxy_url=_url(door, ask, ticket))
    return Answer(_encode(entered), _NO_STORE)


async def execute_resize(door: Door, ask: Ask[ResizeExec]) -> Answer:
    """Change the size of the terminal of a command."""
    asked = ask.params
    with _over_by_now():
        await door.services.live.execute_resize(
            ask.caller, ask.path[0], asked.exec_id, width=int(asked.w), height=int(asked.h)
        )
    return NULL


async def attach(door: Door, ask: Ask[AttachTerminal]) -> Answer:
    """The address of a WebSocket to a container's own input and output."""
    ticket = await door.services.live.attach(
        ask.caller,
        ask.path[0],
        stdin=ask.params.stdin is None or bool(ask.params.stdin),
        logs=bool(ask.params.logs),
        early=ask.version >= _OURS,
    )
    return Answer(_encode(_url(door, ask, ticket)), _NO_STORE)


async def resize(door: Door, ask: Ask[ResizeTerminal]) -> Answer:
    """Change the size of a container's terminal."""
    with _over_by_now():
        await door.services.live.resize(ask.caller, ask.path[0], width=int(ask.params.w), height=int(ask.params.h))
    return NULL


async def top(door: Door, ask: Ask[ListProcesses]) -> Answer:
    """What runs in a container."""
    arguments = ask.params.ps_args
    found = await door.services.live.top(
        ask.caller, ask.path[0], arguments=None if arguments in (None, "", "None") else arguments
    )
    return Answer(_encode(_table(found)))


async def stats(door: Door, ask: Ask[Any]) -> Answer:
    """What a container uses."""
    load = await door.services.live.stats(ask.caller, ask.path[0])
    return Answer(_encode(_stats(load, ours=ask.version >= _OURS)))


async def get_archive(door: Door, ask: Ask[GetArchive]) -> Answer | Stream:
    """A file or directory of a container; from 1.41 on with `Accept: application/x-tar` as the archive itself."""
    stat, content = await ask.held.enter_async_context(
        door.services.live.get_archive(ask.caller, ask.path[0], ask.params.path)
    )
    shown = _encode(_stat(stat))
    if ask.version >= _OURS and TAR in ask.headers.get("Accept", ""):
        told = {"X-Container-Path-Stat": base64.b64encode(shown).decode()}
        return Stream(pieces=content, content_type=TAR, headers=told)
    if ask.version >= _ENCODED:
        return Stream(pieces=_archived(content, shown))
    return Answer(_encode(Archive(data=await _text(content, door.max_archive), stat=_stat(stat))))


async def put_archive(door: Door, ask: Ask[PutArchive]) -> Answer:
    """Unpack a tar archive into a directory of a container; from 1.41 on the body may be the archive itself, as `application/x-tar`."""
    content = ask.body or _given(ask)
    await door.services.live.put_archive(ask.caller, ask.path[0], ask.params.path, content)
    return NULL


async def commit(door: Door, ask: Ask[CommitContainer]) -> Answer:
    """Make an image of what a container is now."""
    asked = ask.params
    image = await door.services.live.commit(
        ask.caller, ask.request, ask.path[0], repository=asked.repository, tag=asked.tag or "latest"
    )
    return Answer(_encode(Committed(uuid=image.id)))


def _url(door: Door, ask: Ask[Any], ticket: Ticket) -> str:
    """Where the holder of the ticket connects. ws goes with http, wss with https."""
    base = door.console_url or f"ws{ask.address.removeprefix('http')}"
    asked = {"token": ticket.token, "uuid": ticket.capsule_id}
    if ticket.exec_id is not None:
        asked["exec_id"] = ticket.exec_id
    return f"{base}/v1/console?{urlencode(asked)}"


@contextmanager
def _over_by_now() -> Iterator[None]:
    """Zun's clients give a terminal its size as soon as they are connected, and give up before they have shown anything on every refusal but this."""
    try:
        yield
    except errors.Conflict as error:
        raise errors.Invalid(error.message) from error


def _table(found: Processes) -> ProcessTable:
    return ProcessTable(titles=found.titles, processes=found.rows)


def _stats(load: Load, *, ours: bool) -> Stats:
    usage = load.usage
    shown = Stats(
        container=load.name,
        cpu=round(load.cores * 100, 2),
        memory=round(usage.memory / 2**20, 2),
        memory_limit=round(usage.memory_limit / 2**20, 2),
        memory_share=round(usage.memory / usage.memory_limit * 100, 2) if usage.memory_limit else 0.0,
        block=f"{usage.block_read}/{usage.block_written}",
        net=f"{usage.received}/{usage.sent}",
    )
    if ours:
        shown.read_at = views.moment(usage.read_at)
        shown.cpu_seconds, shown.system_cpu_seconds, shown.cores = usage.cpu, usage.system_cpu, usage.cores
        shown.memory_bytes, shown.memory_limit_bytes = usage.memory, usage.memory_limit
        shown.block_read_bytes, shown.block_written_bytes = usage.block_read, usage.block_written
        shown.received_bytes, shown.sent_bytes = usage.received, usage.sent
        shown.pids = usage.processes
    return shown


def _stat(stat: PathStat) -> Stat:
    return Stat(name=stat.name, size=stat.size, mode=stat.mode, mtime=stat.mtime, link_target=stat.link_target)


async def _archived(content: AsyncIterator[bytes], stat: bytes) -> AsyncGenerator[bytes, None]:
    """An Archive as a JSON document."""
    yield b'{"data":'
    async for piece in pieces.base64_quoted(content):
        yield piece
    yield b',"stat":' + stat + b"}"


async def _text(content: AsyncIterator[bytes], most: int) -> str:
    """An archive as older versions want it. Raises Invalid for one that cannot be text, or is too much to look through."""
    whole = bytearray()
    async for piece in content:
        whole += piece
        if len(whole) > most:
            raise errors.Invalid(
                f"The archive is larger than {most >> 20} MiB; ask for it in version {_ENCODED} or later."
            )
    try:
        return whole.decode()
    except UnicodeDecodeError as error:
        raise errors.Invalid(
            f"The archive is no text in UTF-8, which it has to be below version {_ENCODED}; ask for it in that or a later one."
        ) from error


async def _given(ask: Ask[PutArchive]) -> AsyncIterator[bytes]:
    """The archive that came inside JSON."""
    said = ask.params.data
    if said is None:
        raise form.missing("data")
    if ask.version < _ENCODED:
        content = said.encode(errors="surrogatepass")
    else:
        try:
            content = base64.b64decode(said, validate=True)
        except ValueError as error:
            raise errors.Invalid(
                "Invalid input for field 'data'. From version 1.25 on it must be base64.", code="base-64-exception"
            ) from error
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]
