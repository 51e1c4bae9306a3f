"""Ctrl-C while something is waited for: heard wherever it falls, and what is asked afterwards is carried out."""

import http.client
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import higgins
from higgins import errors
from higgins.client.cloud import Cloud
from tests.unit.client.stub import Asked, Given, serving

OURS = str(Path(higgins.__file__).parent)


@contextmanager
def interrupted_at(step: int) -> Iterator[Callable[[], str]]:
    """SIGINT arrives at that step of the client, a line or a return; where it was, or nothing if there are not so many."""
    count, where = 0, ""

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count, where
        file = frame.f_code.co_filename
        if file != http.client.__file__ and not file.startswith(OURS):
            return None
        if event in ("line", "return"):
            count += 1
            if count == step:
                where = f"{Path(file).name}:{frame.f_lineno}, {event} in {frame.f_code.co_name}"
                os.kill(os.getpid(), signal.SIGINT)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: where
    finally:
        sys.settrace(before)


def looks_twice(cloud: Cloud, step: int) -> str:
    """Whoever looks twice, and removes what it looked at when it is interrupted. Where that was; empty if it was not."""
    where: Callable[[], str] = str
    try:
        with interrupted_at(step) as where:
            cloud.get("/containers/x")
            cloud.get("/containers/x")
    except KeyboardInterrupt:
        try:
            cloud.delete("/containers/x")
        except errors.Failure as failure:
            pytest.fail(f"not removed after {where()}: {failure}")
        return where()
    assert not where(), f"swallowed at {where()}"
    return ""


def test_ctrl_c_is_heard_wherever_it_falls_and_what_was_made_can_be_removed() -> None:
    def given(asked: Asked) -> Given:
        return Given(204, b"") if asked.method == "DELETE" else Given(200, {"status": "Creating"})

    with serving(given) as server:
        steps = 0
        while looks_twice(server.cloud(), steps + 1):
            steps += 1
    assert steps > 200
    assert [asked.method for asked in server.asked].count("DELETE") == steps
