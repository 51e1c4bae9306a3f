"""Programs in memory that are talked to: what a container or a command in it does with its input."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

from higgins import errors
from higgins.model.live import Piece

_ROOM = 65536
"""Bytes that may be untaken before whoever gives input has to wait."""
_END_OF_FILE = b"\x04"


class Program:
    """`cat` gives back its input and ends with it. `sh` obeys lines: `echo WORDS`, `exit CODE`. All others heed nothing and run on.

    One with a terminal shows what is typed, and reads the key for it as the end of its input.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        terminal: bool,
        stdin: bool,
        said: Callable[[bytes, bool], None] = lambda content, aside: None,
        ended: Callable[[int], None] = lambda code: None,
    ) -> None:
        """`said` hears what it prints, `ended` its exit code if it ends by itself."""
        self.terminal = terminal
        self.size: tuple[int, int] | None = None
        """Width and height of its terminal."""
        self.exit_code: int | None = None
        self._command = tuple(command)
        self._said = said
        self._ended = ended
        self._input = bytearray()
        self._input_over = not stdin
        self._runs = False
        self._ears: list[Ear] = []

    def run(self) -> None:
        """Begin, with the input that was given before."""
        self._runs = True
        self._read()

    def give(self, content: bytes) -> None:
        """Some input."""
        if self._input_over or self.exit_code is not None:
            return
        if self.terminal:
            content, key, _ = content.partition(_END_OF_FILE)
            self.say(content)
            self._input_over = bool(key)
        self._input += content
        self._read()

    def end_input(self) -> None:
        """There is no more of it."""
        self._input_over = True
        self._read()

    def say(self, content: bytes, *, aside: bool = False) -> None:
        """It prints."""
        content = content.replace(b"\n", b"\r\n") if self.terminal else content
        if content:
            self._said(content, aside)
            for ear in self._ears:
                ear.hear(Piece(content, aside=aside and not self.terminal))

    def end(self, code: int) -> None:
        """It is over; the first end counts."""
        if self.exit_code is None:
            self.exit_code = code
            for ear in self._ears:
                ear.end()

    def break_off(self, failure: errors.Failure) -> None:
        """Nobody hears it any more; it runs on."""
        for ear in self._ears:
            ear.end(failure)

    @contextmanager
    def heard(self) -> Iterator["Ear"]:
        """What it prints within the block."""
        ear = Ear()
        if self.exit_code is not None:
            ear.end()
        self._ears.append(ear)
        try:
            yield ear
        finally:
            self._ears.remove(ear)

    def _read(self) -> None:
        if not self._runs or self.exit_code is not None:
            return
        match self._command:
            case ("cat",):
                content = bytes(self._input)
                self._input.clear()
                self.say(content)
            case ("sh",):
                while b"\n" in self._input and self.exit_code is None:
                    line, _, rest = bytes(self._input).partition(b"\n")
                    self._input = bytearray(rest)
                    self._obey(line.decode(errors="replace").split())
            case _:
                return
        if self._input_over:
            self._end(0)

    def _obey(self, words: Sequence[str]) -> None:
        match words:
            case ["exit", *code]:
                self._end(int(code[0]) if code else 0)
            case ["echo", *said]:
                self.say(" ".join(said).encode() + b"\n")

    def _end(self, code: int) -> None:
        if self.exit_code is None:
            self.end(code)
            self._ended(code)


class Ear:
    """Hears a program until it ends."""

    def __init__(self) -> None:
        self._heard: deque[Piece] = deque()
        self._size = 0
        self._over = False
        self._failure: errors.Failure | None = None
        self._changed = asyncio.Event()

    def hear(self, piece: Piece) -> None:
        """It printed that."""
        self._heard.append(piece)
        self._size += len(piece.content)
        self._changed.set()

    def end(self, failure: errors.Failure | None = None) -> None:
        """There is no more, or no way to hear it."""
        self._over, self._failure = True, self._failure or failure
        self._changed.set()

    async def room(self) -> None:
        """Until not too much is untaken."""
        while self._size >= _ROOM and not self._over:
            self._changed.clear()
            await self._changed.wait()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        while True:
            while self._heard:
                piece = self._heard.popleft()
                self._size -= len(piece.content)
                self._changed.set()
                yield piece
            if self._over:
                break
            self._changed.clear()
            await self._changed.wait()
        if self._failure is not None:
            raise self._failure


class ProgramTalk:
    """A talk with a program."""

    def __init__(self, program: Program, ear: Ear, *, before: Sequence[Piece] = (), stdin: bool) -> None:
        """`before` is what it printed earlier, and is heard first."""
        self._program = program
        self._ear = ear
        self._before = before
        self._stdin = stdin

    async def __aiter__(self) -> AsyncIterator[Piece]:
        for piece in self._before:
            yield piece
        async for piece in self._ear:
            yield piece

    async def write(self, content: bytes) -> None:
        if self._stdin:
            await self._ear.room()
            self._program.give(content)

    async def close_input(self) -> None:
        if self._stdin:
            self._program.end_input()

    async def exit_code(self) -> int | None:
        return self._program.exit_code
