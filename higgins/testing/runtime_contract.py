"""What every runtime must do, as a suite to inherit from.

A driver proves itself by a subclass of each suite that overrides the fixtures which raise NotImplementedError. The commands are those of a
busybox; a fake is told through the fixture `behave` what they do.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest

from higgins import errors
from higgins.model.capsule import Condition, Container, Healthcheck, Observation, Resources, Stage
from higgins.model.ids import CapsuleId, ContainerId
from higgins.protocols.runtime import (
    CAPABILITIES,
    Archives,
    Commits,
    Executes,
    Logs,
    Measures,
    Origin,
    Pauses,
    Runtime,
    Sandboxes,
    Signals,
    Talks,
    Updates,
)
from higgins.testing.runtime import Behaviour

PATIENCE = 20.0
"""Seconds in which whatever is to happen has happened."""


class Capable(
    Runtime, Sandboxes, Pauses, Signals, Executes, Logs, Talks, Measures, Archives, Updates, Commits, Protocol
):
    """A runtime that can do all there is."""


class Make(Protocol):
    """Makes a container, and sees to its end."""

    async def __call__(self, *command: str, **fields: Any) -> Container: ...


Behave = Callable[[tuple[str, ...], Behaviour], None]
Checked = Callable[[ContainerId, Condition, int, str], None]


class RuntimeContract:
    """The promises of `Runtime` and of all capabilities."""

    @pytest.fixture
    def runtime(self) -> Capable:
        """The runtime, with nothing of ours in it."""
        raise NotImplementedError

    @pytest.fixture
    def image(self) -> str:
        """An image that is here, with a busybox and no command of its own."""
        raise NotImplementedError

    @pytest.fixture
    def vanish(self) -> Callable[[ContainerId], Awaitable[None]]:
        """Removes a container behind the runtime's back."""
        raise NotImplementedError

    @pytest.fixture
    def behave(self) -> Behave:
        """Tells a fake what a command does; what is real knows."""
        return lambda command, behaviour: None

    @pytest.fixture
    def checked(self) -> Checked:
        """Tells a fake what a health check found; what is real finds it out."""
        return lambda container_id, condition, failures, output: None

    @pytest.fixture
    async def sandbox(self, runtime: Capable) -> AsyncIterator[ContainerId]:
        """One that is there and does not run yet."""
        sandbox = an_id()
        await runtime.create_sandbox(_within(sandbox), sandbox)
        yield sandbox
        await runtime.remove(sandbox)

    @pytest.fixture
    async def make(self, runtime: Capable, image: str) -> AsyncIterator[Make]:
        made: list[ContainerId] = []

        async def create(*command: str, **fields: Any) -> Container:
            sandbox = fields.pop("sandbox", None)
            container = a_container(fields.pop("image", image), *command, **fields)
            made.append(container.id)
            await runtime.create(_within(sandbox) if sandbox else origin_of(container), container)
            return container

        yield create
        for each in made:
            await runtime.remove(each)

    # What is there

    async def test_a_created_container_is_there_and_does_not_run(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        seen = await runtime.list()
        assert seen.keys() == {made.id}
        assert seen[made.id].stage is Stage.CREATED
        assert seen[made.id].started_at is None
        assert seen[made.id].exit_code is None

    async def test_what_is_seen_carries_for_whom_it_was_made(self, runtime: Capable, image: str, make: Make) -> None:
        container = a_container(image, "sleep", "60")
        origin = replace(origin_of(container), epoch=7, restarts=3, rebuilds=2)
        try:
            await runtime.create(origin, container)
            seen = await look(runtime, container)
            assert seen.capsule_id == origin.capsule_id
            assert (seen.epoch, seen.restarts, seen.rebuilds) == (7, 3, 2)
            assert seen.command == ("sleep", "60")
            assert seen.image is not None
            listed = (await runtime.list())[container.id]
            assert (listed.epoch, listed.restarts, listed.rebuilds) == (7, 3, 2)
        finally:
            await runtime.remove(container.id)

    async def test_a_container_that_is_not_there_is_not_listed(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        assert (await runtime.list([an_id(), made.id])).keys() == {made.id}
        assert await runtime.list([an_id()]) == {}
        assert await runtime.list([]) == {}

    async def test_labels_of_a_user_cannot_claim_anothers_container(self, runtime: Capable, make: Make) -> None:
        names = ("owner", "capsule", "container", "epoch", "restarts", "rebuilds", "project")
        made = await make("sleep", "60", labels={f"org.higgins.{name}": "4711" for name in names})
        seen = await runtime.list()
        assert seen.keys() == {made.id}
        assert seen[made.id].capsule_id == origin_of(made).capsule_id
        assert (seen[made.id].epoch, seen[made.id].restarts, seen[made.id].rebuilds) == (1, 0, 0)

    async def test_the_inventory_names_what_the_runtime_can_do(self, runtime: Capable) -> None:
        told = await runtime.inventory()
        assert set(told.capabilities) == CAPABILITIES.keys()
        assert told.default_handler in told.handlers
        assert told.capacity.cpu > 0
        assert told.capacity.memory > 0

    # From creation to removal

    async def test_creating_again_changes_nothing(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        before = await look(runtime, made)
        await runtime.create(origin_of(made), made)
        assert await look(runtime, made) == before

    async def test_creations_at_once_make_one(self, runtime: Capable, image: str) -> None:
        container = a_container(image, "sleep", "60")
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(runtime.create(origin_of(container), container))
            assert (await runtime.list()).keys() == {container.id}
        finally:
            await runtime.remove(container.id)

    async def test_a_name_taken_by_another_capsule_is_a_conflict_that_names_it(
        self, runtime: Capable, make: Make
    ) -> None:
        made = await make("sleep", "60")
        with pytest.raises(errors.Conflict, match=made.id):
            await runtime.create(replace(origin_of(made), capsule_id=CapsuleId(an_id())), made)

    async def test_an_image_that_is_not_here_is_not_found(self, runtime: Capable, image: str) -> None:
        container = a_container("higgins-test/none-such:1", "true")
        with pytest.raises(errors.NotFound, match="higgins-test/none-such:1") as failed:
            await runtime.create(origin_of(container), container)
        assert failed.value.name == "image-not-found"
        assert await runtime.list() == {}

    async def test_a_handler_that_the_host_lacks_is_invalid(self, runtime: Capable, image: str) -> None:
        container = a_container(image, "true")
        with pytest.raises(errors.Invalid, match="none-such"):
            await runtime.create(replace(origin_of(container), handler="none-such"), container)
        assert await runtime.list() == {}

    async def test_a_started_container_runs_and_starting_again_changes_nothing(
        self, runtime: Capable, make: Make
    ) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        before = await look(runtime, made)
        assert before.stage is Stage.RUNNING
        assert before.started_at is not None
        await runtime.start(made.id)
        assert await look(runtime, made) == before

    @pytest.mark.parametrize(("command", "code"), [("true", 0), ("false", 1)])
    async def test_a_command_that_ends_leaves_its_exit_code(
        self, runtime: Capable, make: Make, command: str, code: int
    ) -> None:
        made = await make(command)
        await runtime.start(made.id)
        seen = await until(runtime, made, Stage.EXITED)
        assert seen.exit_code == code
        assert seen.started_at is not None
        assert seen.finished_at is not None
        assert seen.started_at <= seen.finished_at

    async def test_what_ended_can_be_started_again(self, runtime: Capable, make: Make) -> None:
        made = await make("true")
        await runtime.start(made.id)
        first = await until(runtime, made, Stage.EXITED)
        await runtime.start(made.id)
        again = await until(runtime, made, Stage.EXITED)
        assert (first.started_at or 0) < (again.started_at or 0)

    async def test_a_command_that_is_not_in_the_image_is_invalid_and_named(self, runtime: Capable, make: Make) -> None:
        made = await make("no-such-command")
        with pytest.raises(errors.Invalid, match="no-such-command") as failed:
            await runtime.start(made.id)
        assert "\n" not in failed.value.message
        seen = await look(runtime, made)
        assert seen.stage is Stage.CREATED
        assert "no-such-command" in (seen.error or "")

    async def test_starting_what_is_gone_is_a_conflict(self, runtime: Capable) -> None:
        with pytest.raises(errors.Conflict):
            await runtime.start(an_id())

    async def test_too_little_memory_ends_the_command_and_says_so(
        self, runtime: Capable, make: Make, behave: Behave
    ) -> None:
        hungry = ("dd", "if=/dev/zero", "of=/dev/null", "bs=64M")
        behave(hungry, Behaviour(exit_code=137, oom_killed=True))
        for _ in range(3):
            made = await make(*hungry, limits=Resources(memory=8))
            await runtime.start(made.id)
            seen = await until(runtime, made, Stage.EXITED)
            assert seen.exit_code == 137
            # A busy engine hears of the killing after the end now and then, and then forgets it.
            if seen.oom_killed:
                break
        assert seen.oom_killed

    async def test_a_stopped_container_has_ended_and_stopping_again_changes_nothing(
        self, runtime: Capable, make: Make
    ) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        await runtime.stop(made.id, 0)
        before = await look(runtime, made)
        assert before.stage is Stage.EXITED
        await runtime.stop(made.id, 0)
        assert await look(runtime, made) == before

    async def test_stopping_what_never_ran_or_is_not_there_succeeds(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.stop(made.id, 0)
        await runtime.stop(an_id(), 0)
        assert (await look(runtime, made)).stage is Stage.CREATED

    async def test_removing_what_runs_leaves_nothing_and_removing_again_succeeds(
        self, runtime: Capable, make: Make
    ) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        await runtime.remove(made.id)
        assert await runtime.list() == {}
        await runtime.remove(made.id)

    async def test_removals_at_once_all_succeed_and_end_after_it_is_gone(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)

        async def remove() -> None:
            await runtime.remove(made.id)
            assert await runtime.list([made.id]) == {}

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(remove())

    async def test_the_same_container_can_be_made_again_once_removed(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        await runtime.remove(made.id)
        await runtime.create(origin_of(made), made)
        assert (await look(runtime, made)).stage is Stage.CREATED

    @pytest.mark.parametrize("verb", ["create", "start", "stop", "remove"])
    async def test_a_call_cut_short_can_be_repeated(self, runtime: Capable, make: Make, image: str, verb: str) -> None:
        """As after a crash: what the first call did or did not do, the second brings to its end."""
        container = a_container(image, "sleep", "60") if verb == "create" else await make("sleep", "60")
        if verb in ("stop", "remove"):
            await runtime.start(container.id)
        calls: dict[str, Callable[[], Awaitable[None]]] = {
            "create": lambda: runtime.create(origin_of(container), container),
            "start": lambda: runtime.start(container.id),
            "stop": lambda: runtime.stop(container.id, 0),
            "remove": lambda: runtime.remove(container.id),
        }
        try:
            for moment in (0.0, 0.002, 0.01, 0.03):
                try:
                    async with asyncio.timeout(moment):
                        await calls[verb]()
                except TimeoutError:
                    pass
            await calls[verb]()
            seen = (await runtime.list()).get(container.id)
            wanted = {"create": Stage.CREATED, "start": Stage.RUNNING, "stop": Stage.EXITED, "remove": None}
            assert (seen.stage if seen else None) is wanted[verb]
        finally:
            await runtime.remove(container.id)

    # What happens outside

    async def test_a_watch_tells_of_a_removal_from_outside(
        self, runtime: Capable, make: Make, vanish: Callable[[ContainerId], Awaitable[None]]
    ) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        changes = runtime.watch()
        await vanish(made.id)
        async with asyncio.timeout(PATIENCE):
            assert await anext(changes) == made.id
        assert await runtime.list() == {}

    async def test_a_watch_tells_of_an_end(self, runtime: Capable, make: Make) -> None:
        made = await make("true")
        changes = runtime.watch()
        await runtime.start(made.id)
        async with asyncio.timeout(PATIENCE):
            async for changed in changes:
                assert changed == made.id
                if (await look(runtime, made)).stage is Stage.EXITED:
                    break

    # Health

    async def test_what_nothing_checks_has_no_health(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        assert (await look(runtime, made)).health is None

    @pytest.mark.parametrize(
        ("test", "condition", "failures"),
        [("echo fine", Condition.HEALTHY, 0), ("echo bad; exit 3", Condition.UNHEALTHY, 1)],
    )
    async def test_a_health_check_says_how_it_went_and_a_watch_tells(
        self, runtime: Capable, make: Make, checked: Checked, test: str, condition: Condition, failures: int
    ) -> None:
        made = await make("sleep", "60", healthcheck=Healthcheck(test=test, interval=1, timeout=5, retries=1))
        assert (await look(runtime, made)).health is None
        await runtime.start(made.id)
        seen = await look(runtime, made)
        assert seen.health is not None
        assert seen.health.condition is Condition.STARTING
        changes = runtime.watch()
        checked(made.id, condition, failures, test.partition(";")[0].removeprefix("echo ") + "\n")
        async with asyncio.timeout(PATIENCE):
            assert await anext(changes) == made.id
        health = (await look(runtime, made)).health
        assert health is not None
        assert health.condition is condition
        assert health.failures >= failures
        assert health.output == test.partition(";")[0].removeprefix("echo ") + "\n"
        await runtime.stop(made.id, 0)
        assert (await look(runtime, made)).health is None

    # Updates

    @pytest.mark.parametrize("stage", [Stage.CREATED, Stage.RUNNING])
    async def test_limits_are_seen_and_can_be_changed_and_taken_away(
        self, runtime: Capable, make: Make, stage: Stage
    ) -> None:
        made = await make("sleep", "60", limits=Resources(cpu=0.5, memory=64))
        if stage is Stage.RUNNING:
            await runtime.start(made.id)
        assert (await look(runtime, made)).limits == Resources(cpu=0.5, memory=64)
        for limits in (
            Resources(cpu=1.25, memory=128),
            Resources(cpu=1.25),
            Resources(memory=32),
            Resources(),
            Resources(cpu=0.01, memory=48),
        ):
            for _ in range(2):
                await runtime.update(made.id, limits)
                assert (await look(runtime, made)).limits == limits
        await runtime.start(made.id)
        assert (await look(runtime, made)).limits == limits

    async def test_what_has_no_limits_can_be_given_some(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        assert (await look(runtime, made)).limits == Resources()
        await runtime.update(made.id, Resources(cpu=0.5, memory=64))
        assert (await look(runtime, made)).limits == Resources(cpu=0.5, memory=64)

    async def test_the_limits_of_what_is_gone_are_a_conflict(self, runtime: Capable) -> None:
        with pytest.raises(errors.Conflict):
            await runtime.update(an_id(), Resources(cpu=1))

    # Sandboxes

    async def test_a_sandbox_is_listed_started_stopped_and_removed_like_a_container(self, runtime: Capable) -> None:
        sandbox = an_id()
        origin = _within(sandbox)
        try:
            for _ in range(2):
                await runtime.create_sandbox(origin, sandbox)
                assert (await runtime.list([sandbox]))[sandbox].stage is Stage.CREATED
            for _ in range(2):
                await runtime.start(sandbox)
                seen = (await runtime.list())[sandbox]
                assert (seen.stage, seen.capsule_id, seen.epoch) == (Stage.RUNNING, origin.capsule_id, origin.epoch)
            await runtime.stop(sandbox, 0)
            assert (await runtime.list([sandbox]))[sandbox].stage is Stage.EXITED
            await runtime.start(sandbox)
        finally:
            await runtime.remove(sandbox)
        assert sandbox not in await runtime.list()

    async def test_containers_run_in_a_sandbox_that_runs(
        self, runtime: Capable, make: Make, sandbox: ContainerId
    ) -> None:
        one, other = [await make("sleep", "60", sandbox=sandbox) for _ in range(2)]
        with pytest.raises(errors.Unavailable, match="does not run"):
            await runtime.start(one.id)
        await runtime.start(sandbox)
        for each in (one, other):
            await runtime.start(each.id)
            assert (await look(runtime, each)).stage is Stage.RUNNING

    async def test_what_runs_runs_on_when_its_sandbox_ends_and_starts_in_it_again(
        self, runtime: Capable, make: Make, sandbox: ContainerId
    ) -> None:
        await runtime.start(sandbox)
        made = await make("sleep", "60", sandbox=sandbox)
        await runtime.start(made.id)
        await runtime.stop(sandbox, 0)
        assert (await look(runtime, made)).stage is Stage.RUNNING
        await runtime.stop(made.id, 0)
        await runtime.start(sandbox)
        await runtime.start(made.id)
        assert (await look(runtime, made)).stage is Stage.RUNNING

    async def test_no_container_is_made_in_a_sandbox_that_is_not_there(self, runtime: Capable, make: Make) -> None:
        with pytest.raises(errors.Unavailable, match="sandbox"):
            await make("sleep", "60", sandbox=an_id())

    # Pauses

    async def test_pausing_and_unpausing_can_be_repeated(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        await runtime.unpause(made.id)
        for _ in range(2):
            await runtime.pause(made.id)
            assert (await look(runtime, made)).stage is Stage.PAUSED
        for _ in range(2):
            await runtime.unpause(made.id)
            assert (await look(runtime, made)).stage is Stage.RUNNING

    async def test_only_what_runs_can_be_paused(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        for one in (made.id, an_id()):
            with pytest.raises(errors.Conflict):
                await runtime.pause(one)
            with pytest.raises(errors.Conflict):
                await runtime.unpause(one)

    async def test_what_is_paused_can_be_stopped(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        await runtime.pause(made.id)
        async with asyncio.timeout(PATIENCE):
            await runtime.stop(made.id, 1)
        assert (await look(runtime, made)).stage is Stage.EXITED

    async def test_what_is_paused_can_be_removed(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        await runtime.pause(made.id)
        async with asyncio.timeout(PATIENCE):
            await runtime.remove(made.id)
        assert await runtime.list() == {}

    # Signals

    async def test_a_kill_ends_the_command(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        await runtime.kill(made.id, "SIGKILL")
        assert (await until(runtime, made, Stage.EXITED)).exit_code == 137

    async def test_a_signal_reaches_the_command(self, runtime: Capable, make: Make, behave: Behave) -> None:
        script = "trap 'echo caught' USR1; echo ready; while true; do sleep 0.1; done"
        behave(("sh", "-c", script), Behaviour(stdout=b"ready\ncaught\n"))
        made = await make("sh", "-c", script)
        await runtime.start(made.id)
        await printed(runtime, made, b"ready\n")
        await runtime.kill(made.id, "SIGUSR1")
        await printed(runtime, made, b"ready\ncaught\n")

    async def test_only_what_runs_can_be_signalled(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        for one in (made.id, an_id()):
            with pytest.raises(errors.Conflict):
                await runtime.kill(one, "SIGKILL")

    async def test_an_unknown_signal_is_invalid(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        with pytest.raises(errors.Invalid, match="SIGNONE"):
            await runtime.kill(made.id, "SIGNONE")

    # Executes

    async def test_a_command_inside_leaves_its_output_and_exit_code(
        self, runtime: Capable, make: Make, behave: Behave
    ) -> None:
        script = "printf 'out \\377\\n'; printf 'err\\n' >&2; exit 3"
        behave(("sh", "-c", script), Behaviour(exit_code=3, stdout=b"out \xff\n", stderr=b"err\n"))
        made = await make("sleep", "60")
        await runtime.start(made.id)
        result = await runtime.execute(made.id, ["sh", "-c", script])
        assert result.exit_code == 3
        assert sorted(result.output.splitlines()) == [b"err", b"out \xff"]

    async def test_a_command_inside_may_have_a_terminal(self, runtime: Capable, make: Make, behave: Behave) -> None:
        script = "test -t 1 && echo terminal"
        behave(("sh", "-c", script), Behaviour(exit_code=0, stdout=b"terminal\n"))
        made = await make("sleep", "60")
        await runtime.start(made.id)
        result = await runtime.execute(made.id, ["sh", "-c", script], terminal=True)
        assert (result.exit_code, result.output) == (0, b"terminal\r\n")

    async def test_every_byte_of_much_output_arrives(self, runtime: Capable, make: Make, behave: Behave) -> None:
        command = ("head", "-c", "3000000", "/dev/zero")
        behave(command, Behaviour(exit_code=0, stdout=bytes(3_000_000)))
        made = await make("sleep", "60")
        await runtime.start(made.id)
        result = await runtime.execute(made.id, command)
        assert len(result.output) == 3_000_000
        assert result.exit_code == 0

    async def test_a_missing_command_inside_is_told_like_a_shell_does(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        result = await runtime.execute(made.id, ["no-such-command"])
        assert result.exit_code in (126, 127)
        assert b"no-such-command" in result.output

    @pytest.mark.parametrize("terminal", ["terminal", None])
    async def test_what_is_launched_is_waited_for_by_nobody_and_ends_with_its_container(
        self, runtime: Capable, make: Make, terminal: str | None
    ) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)

        async def runs() -> bool:
            return any("sleep 59" in row[-1] for row in (await runtime.processes(made.id, None)).rows)

        await runtime.launch(made.id, ["sleep", "59"], terminal=bool(terminal))
        await runtime.list()
        assert await runs()
        # Whoever looks closely finds nothing that has been forsaken.
        await look(runtime, made)
        assert await runs()
        await runtime.stop(made.id, 0)
        await runtime.start(made.id)
        assert not await runs()

    async def test_what_cannot_be_launched_is_told(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        with pytest.raises(errors.Conflict):
            await runtime.launch(made.id, ["sleep", "59"])
        await runtime.start(made.id)
        with pytest.raises(errors.Invalid, match="no-such-command"):
            await runtime.launch(made.id, ["no-such-command"])
        with pytest.raises(errors.Conflict):
            await runtime.launch(an_id(), ["sleep", "59"])

    async def test_commands_are_executed_only_in_what_runs(self, runtime: Capable, make: Make) -> None:
        created, paused = await make("sleep", "60"), await make("sleep", "60")
        await runtime.start(paused.id)
        await runtime.pause(paused.id)
        for one in (created.id, paused.id, an_id()):
            with pytest.raises(errors.Conflict):
                await runtime.execute(one, ["true"])

    # Logs

    async def test_logs_are_what_was_printed_byte_by_byte(self, runtime: Capable, make: Make, behave: Behave) -> None:
        script = "printf 'caf\\351 \\377\\n'; printf 'no end of line'"
        behave(("sh", "-c", script), Behaviour(exit_code=0, stdout=b"caf\xe9 \xff\nno end of line"))
        made = await make("sh", "-c", script, tty=True)
        await runtime.start(made.id)
        await until(runtime, made, Stage.EXITED)
        text = await read(runtime, made)
        # What keeps logs as text cannot keep bytes that are none; it must not lose the others, nor fail.
        assert text.startswith(b"caf")
        assert text.endswith(b"no end of line")

    async def test_logs_tell_the_two_outputs_apart(self, runtime: Capable, make: Make, behave: Behave) -> None:
        script = "echo out; echo err >&2"
        behave(("sh", "-c", script), Behaviour(exit_code=0, stdout=b"out\n", stderr=b"err\n"))
        made = await make("sh", "-c", script)
        await runtime.start(made.id)
        await until(runtime, made, Stage.EXITED)
        assert await read(runtime, made, stderr=False) == b"out\n"
        assert await read(runtime, made, stdout=False) == b"err\n"
        assert await read(runtime, made, stdout=False, stderr=False) == b""
        assert sorted((await read(runtime, made)).splitlines()) == [b"err", b"out"]

    async def test_the_tail_of_logs_is_their_last_lines(self, runtime: Capable, make: Make, behave: Behave) -> None:
        script = "seq 1 500"
        behave(("sh", "-c", script), Behaviour(exit_code=0, stdout=b"".join(b"%d\n" % line for line in range(1, 501))))
        made = await make("sh", "-c", script)
        await runtime.start(made.id)
        await until(runtime, made, Stage.EXITED)
        assert await read(runtime, made, tail=2) == b"499\n500\n"
        assert await read(runtime, made, tail=0) == b""
        assert len((await read(runtime, made)).splitlines()) == 500

    async def test_logs_begin_where_they_are_asked_to(self, runtime: Capable, make: Make) -> None:
        made = await make("echo", "hello")
        await runtime.start(made.id)
        seen = await until(runtime, made, Stage.EXITED)
        assert seen.finished_at is not None
        assert await read(runtime, made, since=seen.finished_at - 60) == b"hello\n"
        assert await read(runtime, made, since=seen.finished_at + 60) == b""

    async def test_lines_of_logs_may_carry_their_times(self, runtime: Capable, make: Make) -> None:
        made = await make("echo", "hello")
        await runtime.start(made.id)
        await until(runtime, made, Stage.EXITED)
        stamp, _, text = (await read(runtime, made, timestamps=True)).partition(b" ")
        assert text == b"hello\n"
        assert stamp[:1].isdigit()

    async def test_logs_need_not_be_read_to_their_end(self, runtime: Capable, make: Make, behave: Behave) -> None:
        script = "seq 1 200000"
        behave(("sh", "-c", script), Behaviour(exit_code=0, stdout=b"".join(b"%d\n" % line for line in range(200_000))))
        made = await make("sh", "-c", script)
        await runtime.start(made.id)
        await until(runtime, made, Stage.EXITED)
        async for piece in runtime.logs(made.id, stdout=True, stderr=True, timestamps=False, tail=None, since=None):
            assert len(piece) < 1_000_000
            break
        assert (await look(runtime, made)).stage is Stage.EXITED

    async def test_followed_logs_go_on_until_the_end(self, runtime: Capable, make: Make, behave: Behave) -> None:
        script = "echo one; sleep 0.3; echo two"
        behave(("sh", "-c", script), Behaviour(exit_code=0, stdout=b"one\ntwo\n"))
        made = await make("sh", "-c", script)
        await runtime.start(made.id)
        assert await read(runtime, made, follow=True) == b"one\ntwo\n"
        assert (await until(runtime, made, Stage.EXITED)).exit_code == 0
        assert await read(runtime, made, follow=True, tail=1) == b"two\n"

    async def test_followed_logs_end_when_it_is_stopped(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        await runtime.start(made.id)
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            followed = group.create_task(read(runtime, made, follow=True))
            await asyncio.sleep(0.05)
            assert not followed.done()
            await runtime.stop(made.id, 0)
        assert followed.result() == b""

    async def test_following_what_never_started_ends_at_once(self, runtime: Capable, make: Make) -> None:
        made = await make("sleep", "60")
        async with asyncio.timeout(PATIENCE):
            assert await read(runtime, made, follow=True) == b""

    async def test_there_are_no_logs_of_what_is_not_there(self, runtime: Capable) -> None:
        with pytest.raises(errors.NotFound):
            async for _ in runtime.logs(an_id(), stdout=True, stderr=True, timestamps=False, tail=None, since=None):
                pass


def an_id() -> ContainerId:
    """A new one."""
    return ContainerId(str(uuid.uuid4()))


def a_container(image: str, *command: str, **fields: Any) -> Container:
    """A container alone, that has the id of its capsule."""
    return Container(id=an_id(), name="contract", image=image, command=command, **fields)


def _within(sandbox: ContainerId) -> Origin:
    capsule_id = CapsuleId(sandbox)
    return Origin(capsule_id=capsule_id, project_id="contract", epoch=1, restarts=0, handler=None, sandbox=sandbox)


def origin_of(container: Container) -> Origin:
    """Of its first assignment."""
    return Origin(capsule_id=CapsuleId(container.id), project_id="contract", epoch=1, restarts=0, handler=None)


async def look(runtime: Runtime, container: Container) -> Observation:
    """The container as it is now."""
    return (await runtime.list([container.id]))[container.id]


async def until(runtime: Runtime, container: Container, stage: Stage) -> Observation:
    """The container once it has come to a stage."""
    async with asyncio.timeout(PATIENCE):
        while (seen := await look(runtime, container)).stage is not stage:  # noqa: ASYNC110 - a watch may miss things
            await asyncio.sleep(0.02)
    return seen


async def read(
    runtime: Logs,
    container: Container,
    *,
    stdout: bool = True,
    stderr: bool = True,
    timestamps: bool = False,
    tail: int | None = None,
    since: float | None = None,
    follow: bool = False,
) -> bytes:
    """All of the logs."""
    pieces = runtime.logs(
        container.id, stdout=stdout, stderr=stderr, timestamps=timestamps, tail=tail, since=since, follow=follow
    )
    return b"".join([piece async for piece in pieces])


async def printed(runtime: Logs, container: Container, text: bytes) -> None:
    """Wait until it has printed so much; a fake has at once printed all that it will."""
    async with asyncio.timeout(PATIENCE):
        while not (await read(runtime, container)).startswith(text):  # noqa: ASYNC110 - nothing tells of new logs
            await asyncio.sleep(0.02)
