"""What every runtime must do with those who talk to what runs in it, look at it, move files and make images: a suite to inherit from.

It stands beside RuntimeContract, whose fixtures it uses.
"""

import asyncio
import io
import os
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from higgins import errors
from higgins.model.capsule import Container, Resources, Stage
from higgins.model.ids import ContainerId, ExecId
from higgins.model.live import PathStat
from higgins.protocols.runtime import Archives, Talk
from higgins.testing.runtime import Behaviour
from higgins.testing.runtime_contract import PATIENCE, Behave, Capable, Make, an_id, look, printed, read, until

NAMES = (
    "plain",
    "Grüße",
    "данные",
    "データ",
    "مرحبا",
    "שלום",
    "e\u0301",
    "😀👩‍👩‍👧",
    "two words",
    "a\nb",
    "-rf",
    "%41+&?#=",
)
"""Names of files in many scripts, and such as are easily taken for something else."""
MEBIBYTE = 1024**2


class LiveContract:
    """The promises of `Talks`, `Measures`, `Archives` and `Commits`."""

    @pytest.fixture
    def unmake(self) -> Callable[[str], Awaitable[None]]:
        """Removes an image that was made; what is in memory vanishes by itself."""

        async def unmake(reference: str) -> None:
            pass

        return unmake

    @pytest.fixture
    def size_of(self) -> "SizeOf":
        """Tells how large a terminal is: that of a container, or that of a command in it."""
        raise NotImplementedError

    # Talking to a container

    async def test_input_reaches_the_command_and_its_end_ends_it(self, runtime: Capable, make: Make) -> None:
        made = await make("cat", interactive=True)
        async with runtime.attach(made.id, stdin=True, logs=False) as talk:
            await talk.write(b"before the start\n")
            await runtime.start(made.id)
            await talk.write(b"and after")
            await talk.write(b"")
            await talk.close_input()
            await talk.close_input()
            assert await heard(talk) == b"before the start\nand after"
            assert await talk.exit_code() == 0
            await talk.write(b"too late")
        assert (await until(runtime, made, Stage.EXITED)).exit_code == 0

    async def test_every_byte_passes(self, runtime: Capable, make: Make) -> None:
        made = await make("cat", interactive=True)
        everything = bytes(range(256)) * 5 + b"\x10\x11\x04\x03"
        async with runtime.attach(made.id, stdin=True, logs=False) as talk:
            await runtime.start(made.id)
            await talk.write(everything)
            await talk.close_input()
            assert await heard(talk) == everything

    async def test_whoever_leaves_takes_nothing_along(self, runtime: Capable, make: Make) -> None:
        made = await make("cat", interactive=True)
        await runtime.start(made.id)
        for said in (b"one\n", b"two\n"):
            async with runtime.attach(made.id, stdin=True, logs=False) as talk:
                await talk.write(said)
                assert await heard(talk, len(said)) == said
        await asyncio.sleep(0.05)
        assert (await look(runtime, made)).stage is Stage.RUNNING

    async def test_two_hear_the_same(self, runtime: Capable, make: Make) -> None:
        made = await make("cat", interactive=True)
        await runtime.start(made.id)
        async with (
            runtime.attach(made.id, stdin=True, logs=False) as one,
            runtime.attach(made.id, stdin=True, logs=False) as other,
        ):
            await one.write(b"from one\n")
            assert await heard(other, 9) == b"from one\n"
            await other.write(b"from the other\n")
            await other.close_input()
            assert await heard(one) == b"from one\nfrom the other\n"
            assert await heard(other) == b"from the other\n"

    async def test_what_was_printed_before_comes_first_if_asked_for(self, runtime: Capable, make: Make) -> None:
        made = await make("cat", interactive=True)
        await runtime.start(made.id)
        async with runtime.attach(made.id, stdin=True, logs=False) as talk:
            await talk.write(b"before\n")
            await printed(runtime, made, b"before\n")
        async with (
            runtime.attach(made.id, stdin=False, logs=True) as all_of_it,
            runtime.attach(made.id, stdin=True, logs=False) as the_rest,
        ):
            await the_rest.write(b"after\n")
            await the_rest.close_input()
            assert await heard(all_of_it) == b"before\nafter\n"
            assert await heard(the_rest) == b"after\n"

    async def test_what_is_not_interactive_takes_no_input(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        async with runtime.attach(made.id, stdin=True, logs=False) as talk:
            await talk.write(b"exit\n")
            await talk.close_input()
            await runtime.stop(made.id, 0)
            assert await heard(talk) == b""
            assert await talk.exit_code() == 137

    async def test_standard_error_is_told_apart_without_a_terminal(
        self, runtime: Capable, make: Make, behave: Behave
    ) -> None:
        script = "echo out; sleep 0.1; echo err >&2; exit 3"
        behave(("sh", "-c", script), Behaviour(exit_code=3, stdout=b"out\n", stderr=b"err\n"))
        made = await make("sh", "-c", script)
        async with runtime.attach(made.id, stdin=False, logs=False) as talk:
            await runtime.start(made.id)
            pieces = [piece async for piece in talk]
            assert b"".join(piece.content for piece in pieces if not piece.aside) == b"out\n"
            assert b"".join(piece.content for piece in pieces if piece.aside) == b"err\n"
            assert await talk.exit_code() == 3

    async def test_a_terminal_echoes_and_ends_by_its_key(self, runtime: Capable, make: Make) -> None:
        made = await make("cat", interactive=True, tty=True)
        await runtime.start(made.id)
        async with runtime.attach(made.id, stdin=True, logs=False) as talk:
            await talk.write(b"hi\n")
            assert await heard(talk, 8) == b"hi\r\nhi\r\n"
            await talk.close_input()
            await heard(talk)
            assert await talk.exit_code() == 0

    async def test_the_exit_code_of_what_is_removed_at_once_is_not_lost(self, runtime: Capable, make: Make) -> None:
        made = await make("sh", interactive=True)
        await runtime.start(made.id)
        async with runtime.attach(made.id, stdin=True, logs=False) as talk:
            await talk.write(b"exit 7\n")
            await heard(talk)
            await runtime.remove(made.id)
            assert await talk.exit_code() == 7

    @pytest.mark.parametrize("stage", [Stage.CREATED, Stage.RUNNING, Stage.EXITED])
    async def test_a_talk_ends_when_its_container_is_removed(self, runtime: Capable, make: Make, stage: Stage) -> None:
        made = await make("cat", interactive=True)
        if stage is not Stage.CREATED:
            await runtime.start(made.id)
        if stage is Stage.EXITED:
            await runtime.stop(made.id, 0)
        async with runtime.attach(made.id, stdin=True, logs=False, again=True) as talk:
            await talk.write(b"")
            await runtime.remove(made.id)
            assert await heard(talk) == b""
            await talk.write(b"into nothing")
            await talk.close_input()

    async def test_nobody_can_talk_to_what_does_not_run(self, runtime: Capable, make: Make) -> None:
        ended, paused = await make("true"), await make("sleep", "60")
        await runtime.start(ended.id)
        await until(runtime, ended, Stage.EXITED)
        await runtime.start(paused.id)
        await runtime.pause(paused.id)
        for one in (ended.id, paused.id, an_id()):
            with pytest.raises(errors.Conflict):
                async with runtime.attach(one, stdin=True, logs=True):
                    pass

    async def test_what_has_ended_is_talked_to_from_its_next_start_on_if_asked_for(
        self, runtime: Capable, make: Make
    ) -> None:
        made = await make("cat", interactive=True)
        await runtime.start(made.id)
        await runtime.stop(made.id, 0)
        async with (
            runtime.attach(made.id, stdin=True, logs=False, again=True) as talk,
            runtime.attach(made.id, stdin=False, logs=False, again=True) as other,
        ):
            await talk.write(b"before the start\n")
            await runtime.start(made.id)
            await talk.write(b"and after")
            await talk.close_input()
            assert await heard(talk) == await heard(other) == b"before the start\nand after"
            assert await talk.exit_code() == 0
            await until(runtime, made, Stage.EXITED)
            await talk.write(b"too late for this one")
        async with runtime.attach(made.id, stdin=True, logs=False, again=True) as talk:
            await runtime.start(made.id)
            await talk.write(b"once more")
            await talk.close_input()
            assert await heard(talk) == b"once more"

    async def test_much_passes_both_ways(self, runtime: Capable, make: Make) -> None:
        made = await make("cat", interactive=True)
        await runtime.start(made.id)
        much = os.urandom(MEBIBYTE)
        async with runtime.attach(made.id, stdin=True, logs=False) as talk, asyncio.TaskGroup() as group:

            async def give() -> None:
                for _ in range(4):
                    await talk.write(much)
                await talk.close_input()

            group.create_task(give())
            assert await heard(talk) == much * 4

    async def test_nothing_piles_up_while_nobody_reads(self, runtime: Capable, make: Make) -> None:
        made = await make("cat", interactive=True)
        await runtime.start(made.id)
        much, given = os.urandom(MEBIBYTE), 0
        async with runtime.attach(made.id, stdin=True, logs=False) as talk, asyncio.TaskGroup() as group:

            async def give() -> None:
                nonlocal given
                while given < 40:
                    await talk.write(much)
                    given += 1

            giving = group.create_task(give())
            before = None
            while before != given:
                before = given
                await asyncio.sleep(0.5)
            assert not giving.done(), "nobody has read a byte, and all was taken"
            assert given < 10
            assert (await heard(talk, 2 * MEBIBYTE))[: 2 * MEBIBYTE] == much * 2
            giving.cancel()

    # Talking to a command

    @pytest.mark.parametrize("terminal", ["terminal", None])
    async def test_a_command_takes_input_and_ends_with_it(
        self, runtime: Capable, make: Make, terminal: str | None
    ) -> None:
        made = await running(runtime, make)
        async with entering(runtime, made, "cat", terminal=bool(terminal)) as talk:
            await talk.write(b"hi\n")
            expected = b"hi\r\nhi\r\n" if terminal else b"hi\n"
            assert await heard(talk, len(expected)) == expected
            await talk.close_input()
            assert await heard(talk) == b""
            assert await talk.exit_code() == 0
        assert (await look(runtime, made)).stage is Stage.RUNNING

    async def test_a_command_answers_as_it_is_spoken_to_and_tells_how_it_ended(
        self, runtime: Capable, make: Make
    ) -> None:
        made = await running(runtime, make)
        async with entering(runtime, made, "sh") as talk:
            await talk.write(b"echo one\n")
            assert await heard(talk, 4) == b"one\n"
            await talk.write(b"echo two\nexit 5\n")
            assert await heard(talk) == b"two\n"
            assert await talk.exit_code() == 5
            await talk.write(b"echo three\n")

    async def test_a_command_without_input_finds_none(self, runtime: Capable, make: Make) -> None:
        made = await running(runtime, make)
        async with runtime.enter(made.id, an_exec(), ["cat"], terminal=False, stdin=False) as talk:
            await talk.write(b"nobody hears")
            await talk.close_input()
            assert await heard(talk) == b""
            assert await talk.exit_code() == 0

    @pytest.mark.parametrize("terminal", ["terminal", None])
    async def test_a_command_that_cannot_be_executed_says_so(
        self, runtime: Capable, make: Make, terminal: str | None
    ) -> None:
        made = await running(runtime, make)
        async with entering(runtime, made, "no-such-command", terminal=bool(terminal)) as talk:
            assert b"no-such-command" in await heard(talk)
            assert await talk.exit_code() in (126, 127)

    async def test_nothing_is_executed_where_nothing_runs(self, runtime: Capable, make: Make) -> None:
        created, paused = await make("sleep", "60"), await running(runtime, make)
        await runtime.pause(paused.id)
        for one in (created.id, paused.id, an_id()):
            with pytest.raises(errors.Conflict):
                async with runtime.enter(one, an_exec(), ["cat"], terminal=True, stdin=True):
                    pass

    @pytest.mark.parametrize("terminal", ["terminal", None])
    async def test_a_command_ends_with_its_container(self, runtime: Capable, make: Make, terminal: str | None) -> None:
        made = await running(runtime, make)
        async with entering(runtime, made, "cat", terminal=bool(terminal)) as talk:
            await talk.write(b"x\n")
            # A terminal repeats what is typed, ahead of what prints it.
            said = b"x\r\nx\r\n" if terminal else b"x\n"
            assert await heard(talk, len(said)) == said
            await runtime.stop(made.id, 0)
            assert await heard(talk) == b""
            assert await talk.exit_code() == 137

    async def test_what_is_written_while_a_container_dies_does_no_harm(self, runtime: Capable, make: Make) -> None:
        made = await running(runtime, make)
        async with entering(runtime, made, "sleep", "60") as talk, asyncio.TaskGroup() as group:

            async def give() -> None:
                for _ in range(100):
                    await talk.write(b"x" * 65536)

            group.create_task(give())
            await asyncio.sleep(0.05)
            await runtime.remove(made.id)
            await heard(talk)

    async def test_a_command_ends_though_nobody_takes_its_input(self, runtime: Capable, make: Make) -> None:
        made = await running(runtime, make)
        async with entering(runtime, made, "true") as talk, asyncio.TaskGroup() as group:

            async def give() -> None:
                for _ in range(100):
                    await talk.write(b"x" * 65536)

            group.create_task(give())
            assert await heard(talk) == b""
            assert await talk.exit_code() == 0

    # Sizes of terminals

    async def test_terminals_have_sizes(self, runtime: Capable, make: Make, size_of: "SizeOf") -> None:
        made = await make("sh", interactive=True, tty=True)
        await runtime.start(made.id)
        exec_id = an_exec()
        async with runtime.enter(made.id, exec_id, ["sh"], terminal=True, stdin=True) as talk:
            await runtime.resize(made.id, exec_id, 67, 89)
            assert await size_of(made, (exec_id, talk)) == (67, 89)
        await runtime.resize(made.id, None, 123, 45)
        assert await size_of(made, None) == (123, 45)

    async def test_only_terminals_that_are_there_can_be_resized(self, runtime: Capable, make: Make) -> None:
        made, other = await running(runtime, make), await running(runtime, make)
        with pytest.raises(errors.Conflict):
            await runtime.resize(made.id, None, 80, 24)
        with pytest.raises(errors.Conflict):
            await runtime.resize(an_id(), None, 80, 24)
        exec_id = an_exec()
        async with runtime.enter(made.id, exec_id, ["cat"], terminal=False, stdin=True):
            with pytest.raises(errors.Conflict):
                await runtime.resize(made.id, exec_id, 80, 24)
            with pytest.raises(errors.Invalid):
                await runtime.resize(other.id, exec_id, 80, 24)
        with pytest.raises(errors.Invalid):
            await runtime.resize(made.id, exec_id, 80, 24)

    # Measures

    async def test_what_it_uses_only_grows(self, runtime: Capable, make: Make) -> None:
        made = await make("sh", "-c", "while true; do :; done", limits=Resources(cpu=0.2, memory=64))
        await runtime.start(made.id)
        first = await runtime.usage(made.id)
        await asyncio.sleep(0.3)
        second = await runtime.usage(made.id)
        assert second.read_at > first.read_at
        assert second.cpu > first.cpu
        assert second.system_cpu > first.system_cpu
        assert second.cpu - first.cpu < second.system_cpu - first.system_cpu
        assert second.cores >= 1
        assert 0 <= second.memory < second.memory_limit == 64 * MEBIBYTE
        assert second.processes >= 1
        assert min(second.block_read, second.block_written, second.received, second.sent) >= 0

    async def test_what_runs_in_it_is_listed(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        for arguments in (None, "aux", "-ef", "-eo pid,args"):
            told = await runtime.processes(made.id, arguments)
            assert "PID" in told.titles
            assert [row[-1] for row in told.rows] == ["sleep 60"]
            assert all(len(row) == len(told.titles) for row in told.rows)
        for arguments in ("--no-such", "-eo rss=PID,args"):
            with pytest.raises(errors.Invalid, match=arguments):
                await runtime.processes(made.id, arguments)

    async def test_what_does_not_run_uses_nothing(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        for one in (made.id, an_id()):
            with pytest.raises(errors.Conflict):
                await runtime.usage(one)
            with pytest.raises(errors.Conflict):
                await runtime.processes(one, None)

    # Archives

    @pytest.mark.parametrize("stage", [Stage.CREATED, Stage.RUNNING])
    async def test_files_go_in_and_come_out_whatever_they_are_called(
        self, runtime: Capable, make: Make, stage: Stage
    ) -> None:
        made = await make("sleep", "60")
        if stage is Stage.RUNNING:
            await runtime.start(made.id)
        files = {name: name.encode() * 100 for name in NAMES} | {"empty": b"", "much": os.urandom(MEBIBYTE)}
        await runtime.put_archive(made.id, "/tmp", cut(packed(files), 7001))
        for name, content in files.items():
            stat, archive = await fetched(runtime, made.id, f"/tmp/{name}")
            assert (stat.name, stat.size) == (name, len(content))
            assert unpacked(archive) == {name: content}
        stat, archive = await fetched(runtime, made.id, "/tmp/")
        assert stat.mode & 1 << 31, "a directory"
        assert {name.removeprefix("tmp/"): content for name, content in unpacked(archive).items()} == files

    async def test_what_is_there_is_replaced_but_never_a_directory_by_a_file(
        self, runtime: Capable, make: Make
    ) -> None:
        made = await make("sleep", "60")
        for content in (b"old", b"new"):
            await runtime.put_archive(made.id, "/tmp", cut(packed({"sub/file": content}), 512))
        assert unpacked((await fetched(runtime, made.id, "/tmp/sub/file"))[1]) == {"file": b"new"}
        with pytest.raises(errors.Invalid):
            await runtime.put_archive(made.id, "/tmp", cut(packed({"sub": b"a file"}), 512))

    @pytest.mark.parametrize("path", ["/none", "/tmp/none", "/etc/none/deeper"])
    async def test_what_is_not_there_is_not_found(self, runtime: Capable, make: Make, path: str) -> None:
        made = await make("sleep", "60")
        with pytest.raises(errors.NotFound, match=path):
            await fetched(runtime, made.id, path)
        with pytest.raises(errors.NotFound, match=path):
            await runtime.put_archive(made.id, path, cut(packed({"x": b""}), 512))

    @pytest.mark.parametrize("path", ["", "/tmp/\0"])
    async def test_what_is_no_path_is_invalid(self, runtime: Capable, make: Make, path: str) -> None:
        made = await make("sleep", "60")
        with pytest.raises(errors.Invalid):
            await fetched(runtime, made.id, path)
        with pytest.raises(errors.Invalid):
            await runtime.put_archive(made.id, path, cut(packed({"x": b""}), 512))

    async def test_files_can_only_be_put_into_a_directory(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        with pytest.raises(errors.Invalid, match="/etc/passwd"):
            await runtime.put_archive(made.id, "/etc/passwd", cut(packed({"x": b""}), 512))

    async def test_what_is_no_archive_is_invalid(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        for nonsense in (b"", b"nonsense", b"x" * 2000, packed({"whole": b"x" * 2000})[:1800]):
            with pytest.raises(errors.Invalid, match=r"no .*tar archive"):
                await runtime.put_archive(made.id, "/tmp", cut(nonsense, 700))

    @pytest.mark.parametrize("name", ["../up", "a/../../../etc/up"])
    async def test_no_path_in_an_archive_leads_out_of_its_directory(
        self, runtime: Capable, make: Make, name: str
    ) -> None:
        made = await make("sleep", "60")
        with pytest.raises(errors.Invalid, match="outside"):
            await runtime.put_archive(made.id, "/tmp", cut(packed({name: b"out"}), 512))

    async def test_an_absolute_path_in_an_archive_is_one_in_its_directory(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.put_archive(made.id, "/tmp", cut(packed({"/abs": b"inside"}), 512))
        assert unpacked((await fetched(runtime, made.id, "/tmp/abs"))[1]) == {"abs": b"inside"}

    async def test_what_the_caller_fails_with_is_what_putting_fails_with(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")

        async def broken() -> AsyncIterator[bytes]:
            yield packed({"x": b"x" * 5000})[:2000]
            raise errors.Unavailable("The caller has left.")

        with pytest.raises(errors.Unavailable, match="The caller has left"):
            await runtime.put_archive(made.id, "/tmp", broken())
        await runtime.put_archive(made.id, "/tmp", cut(packed({"x": b"again"}), 512))

    async def test_an_archive_need_not_be_read_to_its_end(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.put_archive(made.id, "/tmp", cut(packed({"much": os.urandom(4 * MEBIBYTE)}), 65536))
        async with runtime.get_archive(made.id, "/tmp/much") as (_, pieces):
            async for piece in pieces:
                assert piece
                break
        assert (await look(runtime, made)).stage is Stage.CREATED

    async def test_the_files_of_what_is_gone_are_a_conflict(self, runtime: Capable) -> None:
        with pytest.raises(errors.Conflict):
            await fetched(runtime, an_id(), "/etc")
        with pytest.raises(errors.Conflict):
            await runtime.put_archive(an_id(), "/tmp", cut(packed({"x": b""}), 512))

    # Commits

    async def test_an_image_is_made_of_a_container_and_it_runs_on(
        self, runtime: Capable, make: Make, unmake: Callable[[str], Awaitable[None]]
    ) -> None:
        made = await running(runtime, make)
        repository = f"higgins-test/made-{made.id}"
        try:
            first = await runtime.commit(made.id, repository, "one")
            assert first.digest.startswith("sha256:")
            assert first.size > 0
            assert (await look(runtime, made)).stage is Stage.RUNNING
            again = await make("sleep", "60", image=f"{repository}:one")
            assert (await look(runtime, again)).image == first.digest
            assert (await runtime.list()).keys() == {made.id, again.id}
            await runtime.remove(again.id)
        finally:
            await unmake(f"{repository}:one")

    @pytest.mark.parametrize(
        ("repository", "tag"), [("UPPER", "x"), ("a b", "x"), ("a:b", "x"), ("a", "-x"), ("", "x")]
    )
    async def test_a_malformed_name_for_an_image_is_invalid(
        self, runtime: Capable, make: Make, repository: str, tag: str
    ) -> None:
        made = await make("sleep", "60")
        with pytest.raises(errors.Invalid):
            await runtime.commit(made.id, repository, tag)

    async def test_no_image_is_made_of_what_is_gone(self, runtime: Capable) -> None:
        with pytest.raises(errors.Conflict):
            await runtime.commit(an_id(), "higgins-test/none", "x")

    # Much of everything

    async def test_a_thousand_variables_reach_the_command(self, runtime: Capable, make: Make, behave: Behave) -> None:
        script = 'echo "$(env | grep -c ^VARIABLE_)|$VARIABLE_999"'
        behave(("sh", "-c", script), Behaviour(exit_code=0, stdout="1000|données ünïcödé 😀 999\n".encode()))
        variables = {f"VARIABLE_{number}": f"données ünïcödé 😀 {number}" for number in range(1000)}
        made = await make("sh", "-c", script, environment=variables)
        await runtime.start(made.id)
        await until(runtime, made, Stage.EXITED)
        assert (await read(runtime, made)).decode() == "1000|données ünïcödé 😀 999\n"

    async def test_words_in_every_script_reach_the_command(self, runtime: Capable, make: Make) -> None:
        words = [name for name in NAMES if not name.startswith("-")]
        made = await make("echo", *words, labels={name: name for name in NAMES}, environment={"NAME": " ".join(words)})
        assert (await look(runtime, made)).command == ("echo", *words)
        await runtime.start(made.id)
        await until(runtime, made, Stage.EXITED)
        assert (await read(runtime, made)).decode() == " ".join(words) + "\n"


SizeOf = Callable[[Container, "tuple[ExecId, Talk] | None"], Awaitable[tuple[int, int]]]


def an_exec() -> ExecId:
    """A new one."""
    return ExecId(os.urandom(32).hex())


async def running(runtime: Capable, make: Make) -> Container:
    """A container that does nothing for a while."""
    made = await make("sleep", "60")
    await runtime.start(made.id)
    return made


def entering(
    runtime: Capable, container: Container, *command: str, terminal: bool = False
) -> AbstractAsyncContextManager[Talk]:
    """A command that somebody talks to."""
    return runtime.enter(container.id, an_exec(), command, terminal=terminal, stdin=True)


async def heard(talk: Talk, size: int | None = None) -> bytes:
    """So many bytes of the output, or all there are."""
    content = bytearray()
    async with asyncio.timeout(PATIENCE):
        async for piece in talk:
            content += piece.content
            if size is not None and len(content) >= size:
                break
    return bytes(content)


def packed(files: dict[str, bytes]) -> bytes:
    """A tar archive of them."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def unpacked(archive: bytes) -> dict[str, bytes]:
    """The files in it, without directories and links."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {entry.name: tar.extractfile(entry) for entry in tar if entry.isreg()}
        return {name: content.read() for name, content in found.items() if content is not None}


async def cut(content: bytes, size: int) -> AsyncIterator[bytes]:
    """In pieces."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def fetched(runtime: Archives, container_id: ContainerId, path: str) -> tuple[PathStat, bytes]:
    """What is there, and the whole archive."""
    async with runtime.get_archive(container_id, path) as (stat, pieces):
        return stat, b"".join([piece async for piece in pieces])
