"""Which action is possible in which status: every pair, with a container in each status; and what becomes of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.compat.ground import LASTS, NOWHERE, Ground
from tests.compat.table import ADMIN, MEMBER, WRONG_STATE, ZUNS
from tests.compat.wire import Answer

STATUSES = ("Creating", "Created", "Running", "Stopped", "Paused", "Error")
"""Those that a container can be kept in. The others pass."""
TABLE: Mapping[str, str] = {
    "start": "Created Stopped Error",
    "stop": "Running",
    "reboot": "Created Running Stopped Error",
    "pause": "Running",
    "unpause": "Paused",
    "kill": "Running",
    "rebuild": "Created Running Stopped Error",
    "execute": "Running",
    "execute_resize": "Running",
    "attach": "Running",
    "resize": "Running",
    "top": "Running",
    "stats": "Running",
    "commit": "Running Stopped Paused",
    "update": "Created Running Stopped Paused",
    "resize_container": "Created Running Stopped Paused",
    "get_archive": "Created Running Stopped Paused",
    "put_archive": "Created Running Stopped Paused",
    "logs": "Created Running Stopped Paused Error",
    "delete": "Created Stopped Error",
    "delete_after_stop": "Created Running Stopped Error",
    "delete_force": "Creating Created Running Stopped Error",
}
OURS: Mapping[str, str] = {"delete": "Creating", "delete_after_stop": "Creating Paused", "delete_force": "Paused"}
"""Where upstream has dead ends: whatever a container does, its owner can delete it."""
REFUSED_WITH = {"resize": 400, "execute_resize": 400}
"""With us, of those two: Zun's clients end a console at any other refusal, also when a container has ended meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How an action is asked for."""

    method: str = "POST"
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    who: str = MEMBER


def _requests() -> Mapping[str, Asked]:
    plain = ("start", "pause", "unpause", "kill", "rebuild")
    size, exec_id = {"w": "80", "h": "24"}, "0123456789abcdef" * 4
    return {
        **{verb: Asked(path=f"/{verb}") for verb in plain},
        **{verb: Asked(path=f"/{verb}", query={"timeout": "5"}) for verb in ("stop", "reboot")},
        **{verb: Asked(method="GET", path=f"/{verb}") for verb in ("attach", "top", "stats", "logs")},
        "execute": Asked(path="/execute", query={"command": "true"}),
        "execute_resize": Asked(path="/execute_resize", query={**size, "exec_id": exec_id}),
        "resize": Asked(path="/resize", query=size),
        "commit": Asked(path="/commit", query={"repository": "{mark}/commit"}),
        "update": Asked(method="PATCH", path="", body={"cpu": 0.1}),
        "resize_container": Asked(path="/resize_container", body={"memory": 16}),
        "get_archive": Asked(method="GET", path="/get_archive", query={"path": "/etc"}),
        # The end of an archive in which nothing is.
        "put_archive": Asked(path="/put_archive", query={"path": "/tmp"}, body={"data": "A" * 1364 + "AA=="}),
        "delete": Asked(method="DELETE", path=""),
        "delete_after_stop": Asked(method="DELETE", path="", query={"stop": "true"}),
        "delete_force": Asked(method="DELETE", path="", query={"force": "true"}, who=ADMIN),
    }


REQUESTS = _requests()


def _allowed(verb: str) -> set[str]:
    return {*TABLE[verb].split(), *OURS.get(verb, "").split()}


def _ask(there: Ground, verb: str, container: str) -> Answer:
    asked = REQUESTS[verb]
    if asked.who not in there.parties:
        pytest.skip(f"nobody gave a token of {asked.who}")
    path = f"/containers/{container}{asked.path}"
    # From 1.41 on what is not started yet can be attached to as well.
    return there.ask(asked.who, asked.method, path, minor=ZUNS, query=there.filled(asked.query), body=asked.body)


LASTING = (
    "execute",
    "execute_resize",
    "attach",
    "resize",
    "top",
    "update",
    "resize_container",
    "get_archive",
    "put_archive",
    "logs",
)
"""What leaves a container as it is. Stats, which take a second, are asked for by a row."""
PAIRS = tuple((verb, status) for verb in TABLE for status in STATUSES)


@pytest.mark.parametrize(("verb", "status"), [(verb, status) for verb, status in PAIRS if status not in _allowed(verb)])
def test_what_a_status_does_not_allow_is_refused(there: Ground, verb: str, status: str) -> None:
    container = _kept(there, verb, status)
    answer = _ask(there, verb, container)
    expected = 409 if there.upstream else REFUSED_WITH.get(verb, 409)
    assert answer.status == expected, answer
    assert answer.refusal["detail"] == f"Cannot {verb} container {container} in {status} state"
    assert expected == 400 or answer.refusal["code"] == WRONG_STATE


@pytest.mark.parametrize(
    ("verb", "status"), [(verb, status) for verb, status in PAIRS if status in TABLE[verb].split() and verb in LASTING]
)
def test_what_a_status_allows_is_not_refused_for_it(there: Ground, verb: str, status: str) -> None:
    answer = _ask(there, verb, _kept(there, verb, status))
    # There never was a command by that id; that is another reason.
    assert answer.status == (400 if verb == "execute_resize" else 200 if verb != "resize_container" else 202), answer
    assert answer.refusal.get("code") != WRONG_STATE and "state" not in answer.refusal.get("detail", "")


def _kept(there: Ground, verb: str, status: str) -> str:
    """A container in this status, for which the verb makes sense."""
    if status == "Creating" and there.silent is None:
        pytest.skip("nothing there can be kept Creating")
    return there.part("terminal" if verb in ("attach", "resize") and status == "Running" else status.lower())


# A way through all of the changes: in this status this verb leads to that one.
WAY = (
    ("Created", "start", "Running"),
    ("Running", "pause", "Paused"),
    ("Paused", "unpause", "Running"),
    ("Running", "reboot", "Running"),
    ("Running", "rebuild", "Running"),
    ("Running", "kill", "Stopped"),
    ("Stopped", "reboot", "Running"),
    ("Running", "stop", "Stopped"),
    ("Stopped", "start", "Running"),
    ("Stopped", "rebuild", "Created"),
    ("Created", "rebuild", "Created"),
    ("Created", "reboot", "Running"),
    ("Error", "start", "Error"),
    ("Error", "reboot", "Error"),
)
_BACK = {
    "Running": {"Created": "start", "Stopped": "start", "Paused": "unpause"},
    "Stopped": {"Running": "stop"},
}


@pytest.mark.parametrize(("status", "verb", "then"), WAY)
def test_an_action_leads_to_its_status_and_is_on_record(there: Ground, status: str, verb: str, then: str) -> None:
    if status == "Error" and there.upstream:
        pytest.skip("upstream has no host for what is in Error here")
    container = there.part("error" if status == "Error" else "walker")
    _bring(there, container, status)
    answer = _ask(there, verb, container)
    assert (answer.status, answer.content) == (202, b"null")
    there.settle(container, then)
    there.until(lambda: _newest(there, container)["finish_time"], "the end of the action")
    newest = _newest(there, container)
    assert (newest["action"], newest["request_id"]) == (verb, answer.headers["x-openstack-request-id"])
    told = there.ask(
        MEMBER, "GET", f"/containers/{container}/container_actions/{newest['request_id']}", minor=ZUNS
    ).body
    ended = "Error" if then == "Error" else "Success"
    assert [(event["event"], event["result"]) for event in told["events"]] == [(f"compute__do_container_{verb}", ended)]
    assert told["message"] == ("Error" if then == "Error" else None)


def _newest(there: Ground, container: str) -> Mapping[str, Any]:
    newest: Mapping[str, Any] = there.get(f"/containers/{container}/container_actions")["containerActions"][0]
    return newest


def _bring(there: Ground, container: str, status: str) -> None:
    """Whatever became of the test before."""
    now = there.get(f"/containers/{container}")["status"]
    if now == status:
        return
    for step in _steps(now, status):
        assert _ask(there, step, container).status == 202
        there.settle(
            container,
            {"start": "Running", "unpause": "Running", "stop": "Stopped", "pause": "Paused", "rebuild": "Created"}[
                step
            ],
        )


def _steps(now: str, status: str) -> Iterator[str]:
    if now == "Paused":
        yield "unpause"
    if now in ("Created", "Stopped") and status in ("Running", "Paused", "Stopped"):
        yield "start"
    if status in ("Stopped", "Created") and now != "Created":
        yield "stop"
    if status == "Created" and now != "Created":
        yield "rebuild"
    if status == "Paused":
        yield "pause"


DELETES = tuple(
    (verb, status)
    for verb in ("delete", "delete_after_stop", "delete_force")
    for status in STATUSES
    if status in _allowed(verb)
)


@pytest.fixture(scope="module")
def doomed(there: Ground) -> Mapping[tuple[str, str], str]:
    """A container for each way of being deleted, all of them made at once."""
    if there.upstream:
        pairs = [(verb, status) for verb, status in DELETES if status in TABLE[verb].split()]
    else:
        pairs = list(DELETES)
    if there.silent is None:
        pairs = [(verb, status) for verb, status in pairs if status != "Creating"]
    made = {pair: _made(there, pair[1]) for pair in pairs}
    for (_, status), container in made.items():
        if status == "Paused":
            there.settle(container, "Running")
            there.ask(MEMBER, "POST", f"/containers/{container}/pause")
    for (_, status), container in made.items():
        if status != "Creating":
            there.settle(container, status)
    return made


def _made(there: Ground, status: str) -> str:
    match status:
        case "Creating":
            return there.new(image=f"{there.silent}/nothing:1")
        case "Error" if there.upstream:
            return there.new(availability_zone=NOWHERE)
        case "Error":
            return there.new(run=True, command=["/no/such/command"])
        case "Stopped":
            return there.new(run=True, command=["true"])
        case _:
            return there.new(run=status != "Created", command=LASTS)


@pytest.mark.parametrize(("verb", "status"), DELETES)
def test_what_may_be_deleted_is_gone_soon(
    there: Ground, doomed: Mapping[tuple[str, str], str], verb: str, status: str
) -> None:
    container = doomed.get((verb, status))
    if container is None:
        pytest.skip("refused there, or nothing can be kept in that status")
    answer = _ask(there, verb, container)
    assert (answer.status, answer.content) == (204, b"")
    there.until(lambda: there.get(f"/containers/{container}") is None, "a 404")


@pytest.mark.parametrize("status", ["Running", "Stopped", "Paused"])
def test_an_image_can_be_made_of_what_there_is(there: Ground, status: str) -> None:
    if not there.ours:
        pytest.skip("it would leave an image behind")
    answer = _ask(there, "commit", there.part(status.lower()))
    assert answer.status == 202 and len(answer.body["uuid"]) == 36
    there.until(
        lambda: there.get(f"/containers/{there.part(status.lower())}")["status"] == status, "it to go on as before"
    )


def test_what_restarts_again_and_again_can_be_read_and_stopped(there: Ground) -> None:
    if there.upstream:
        pytest.skip("What restarts again and again can be neither read nor stopped")
    container = there.new(run=True, command=["sh", "-c", "echo again; exit 1"], restart_policy={"Name": "always"})
    path = f"/containers/{container}"
    there.until(lambda: there.get(path)["status"] == "Restarting", "it to restart")
    assert there.ask(MEMBER, "GET", f"{path}/logs", minor=ZUNS).body.startswith("again\n")
    assert there.ask(MEMBER, "POST", f"{path}/stop", minor=ZUNS, query={"timeout": "0"}).status == 202
    there.settle(container, "Stopped")
