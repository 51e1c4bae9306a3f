"""Answers live calls from a host's runtime and its store of images, by what they can do."""

import asyncio
import logging
from collections.abc import Mapping

from higgins import errors
from higgins.agent.holds import Holds
from higgins.agent.orders import Order
from higgins.agent.shelf import Shelf
from higgins.aio.bell import Bell
from higgins.aio.beside import beside
from higgins.link.client import Line
from higgins.logic import documents
from higgins.model.capsule import Progress
from higgins.model.live import (
    Attach,
    Commit,
    Done,
    Ended,
    Enter,
    Execute,
    GetArchive,
    Hits,
    ImageFacts,
    Kill,
    Launch,
    ListProcesses,
    LiveRequest,
    PullImage,
    PutArchive,
    ReadLogs,
    ReadUsage,
    RemoveImage,
    Reply,
    Resize,
    SearchImages,
)
from higgins.protocols.image import ImageSource
from higgins.protocols.runtime import Archives, Commits, Executes, Logs, Measures, Runtime, Signals, Talk, Talks

log = logging.getLogger(__name__)

_LACKING: Mapping[type[LiveRequest], str] = {
    ReadLogs: "keep the logs of containers",
    Execute: "run commands inside containers",
    Launch: "run commands inside containers",
    Enter: "connect somebody to a container",
    Attach: "connect somebody to a container",
    Resize: "connect somebody to a container",
    Kill: "send signals to containers",
    ListProcesses: "tell what runs in a container",
    ReadUsage: "tell what a container uses",
    GetArchive: "move files out of containers",
    PutArchive: "move files into containers",
    Commit: "make images of containers",
}
_PAUSE = 0.25
"""Seconds between two words on how far an image has come."""


class LiveAnswers:
    """The answers of one host. Raises Invalid for what its runtime cannot do."""

    def __init__(self, runtime: Runtime, images: ImageSource, shelf: Shelf, holds: Holds) -> None:
        self._runtime = runtime
        self._images = images
        self._shelf = shelf
        self._holds = holds

    async def __call__(self, request: LiveRequest, line: Line) -> Reply:
        """Cancelled when the caller leaves."""
        runtime = self._runtime
        match request:
            case ReadLogs() if isinstance(runtime, Logs):
                return await _read_logs(runtime, request, line)
            case Execute() if isinstance(runtime, Executes):
                return await _execute(runtime, request, line)
            case Launch() if isinstance(runtime, Executes):
                await runtime.launch(request.container_id, request.command, terminal=request.terminal)
                log.info("%s: command %s has begun, and is left to itself", request.container_id, request.exec_id)
                return Done()
            case Enter() if isinstance(runtime, Talks):
                return await _enter(runtime, request, line)
            case Attach() if isinstance(runtime, Talks):
                return await _attach(runtime, request, line)
            case Resize() if isinstance(runtime, Talks):
                await runtime.resize(request.container_id, request.exec_id, request.width, request.height)
                return Done()
            case Kill() if isinstance(runtime, Signals):
                await runtime.kill(request.container_id, request.signal)
                return Done()
            case ListProcesses() if isinstance(runtime, Measures):
                return await runtime.processes(request.container_id, request.arguments)
            case ReadUsage() if isinstance(runtime, Measures):
                return await runtime.usage(request.container_id)
            case GetArchive() if isinstance(runtime, Archives):
                return await _get_archive(runtime, request, line)
            case PutArchive() if isinstance(runtime, Archives):
                await runtime.put_archive(request.container_id, request.path, line.input())
                return Done()
            case Commit() if isinstance(runtime, Commits):
                return await self._commit(runtime, request)
            case PullImage():
                return await _pull(self._shelf, request, line)
            case RemoveImage():
                await self._shelf.remove(request.reference)
                return Done()
            case SearchImages():
                found = await self._images.search(request.term, request.login, exact=request.exact)
                return Hits(hits=tuple(found))
            case _:
                raise errors.Invalid(f"the runtime of the container's host cannot {_LACKING[type(request)]}")

    async def _commit(self, runtime: Commits, request: Commit) -> ImageFacts:
        async def commit() -> ImageFacts:
            with self._holds.hold(request.container_id):
                return await runtime.commit(request.container_id, request.repository, request.tag)

        return await self._shelf.make(f"{request.repository}:{request.tag}", request.project_id, commit)


async def _read_logs(runtime: Logs, request: ReadLogs, line: Line) -> Done:
    pieces = runtime.logs(
        request.container_id,
        stdout=request.stdout,
        stderr=request.stderr,
        timestamps=request.timestamps,
        tail=request.tail,
        since=request.since,
        follow=request.follow,
    )
    async for piece in pieces:
        await line.send(piece)
    return Done()


async def _execute(runtime: Executes, request: Execute, line: Line) -> Ended:
    try:
        async with asyncio.timeout(request.timeout):
            result = await runtime.execute(request.container_id, request.command, terminal=request.interactive)
    except TimeoutError as error:
        raise errors.Conflict(f"Timeout on executing command: {' '.join(request.command)}") from error
    await line.send(result.output)
    return Ended(exit_code=result.exit_code)


async def _enter(runtime: Talks, request: Enter, line: Line) -> Ended:
    async with runtime.enter(
        request.container_id, request.exec_id, request.command, terminal=request.terminal, stdin=request.stdin
    ) as talk:
        return await _converse(talk, line, stdin=request.stdin)


async def _attach(runtime: Talks, request: Attach, line: Line) -> Ended:
    async with runtime.attach(
        request.container_id, stdin=request.stdin, logs=request.logs, again=request.again
    ) as talk:
        line.begin()
        return await _converse(talk, line, stdin=request.stdin)


async def _converse(talk: Talk, line: Line, *, stdin: bool) -> Ended:
    """Pass on what both sides say, each as fast as the other takes it, until the output is over."""
    async with beside() as start:
        start(_give(talk, line) if stdin else _discard(line))
        async for piece in talk:
            await line.send(piece.content, aside=piece.aside)
        return Ended(exit_code=await talk.exit_code())


async def _give(talk: Talk, line: Line) -> None:
    async for content in line.input():
        await talk.write(content)
    await talk.close_input()


async def _discard(line: Line) -> None:
    """Whoever gives what nobody takes must not be stopped by it."""
    async for _ in line.input():
        pass


async def _get_archive(runtime: Archives, request: GetArchive, line: Line) -> Done:
    async with runtime.get_archive(request.container_id, request.path) as (stat, pieces):
        line.head(stat)
        async for piece in pieces:
            await line.send(piece)
    return Done()


async def _pull(shelf: Shelf, request: PullImage, line: Line) -> ImageFacts:
    """What is told faster than the caller reads, or than anybody could, is left out: only the newest counts."""
    news, newest = Bell(), Progress()

    def tell(progress: Progress) -> None:
        nonlocal newest
        newest = progress
        news.ring()

    async def pass_on() -> None:
        while True:
            await news.wait(None)
            await line.say(documents.encode(newest))
            await asyncio.sleep(_PAUSE)

    order = Order(image=request.reference, project_id=request.project_id, login=request.login)
    async with beside() as start:
        start(pass_on())
        return await shelf.fetch(order, tell, keep=True)
