"""What is asked of a container's host and answered at once: logs, commands, consoles, figures, files, images made of it."""

import base64
import io
import tarfile

from tests.compat.differences import MISSING, NO_PATH, OURS
from tests.compat.ground import NONE
from tests.compat.shapes import ARCHIVE, ATTACHED, EXECUTED, LOGS, NOTHING, STATS, TO_BE_EXECUTED, TOP
from tests.compat.table import INVALID, NEWEST, NO_CONTAINER, TOO_NEW, UNKNOWN_PROPERTY, Parameter, Refused, Row

_R = "/containers/{running}"
_T = "/containers/{terminal}"
_EXEC_ID = "0123456789abcdef" * 4


def _archive() -> bytes:
    """A tar archive with one small file, all of it plain text."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("hello.txt")
        entry.size = 6
        tar.addfile(entry, io.BytesIO(b"hello\n"))
    return packed.getvalue()


_BASE64, _PLAIN = base64.b64encode(_archive()).decode(), _archive().decode()

_LOGS: tuple[Row | Parameter, ...] = (
    Row("GET", f"{_R}/logs", 200, gives=LOGS),
    Row(
        "GET",
        f"{_R}/logs",
        200,
        gives=LOGS,
        query={"stdout": "True", "stderr": "True", "timestamps": "False", "tail": "all"},
        label="as zunclient asks",
    ),
    *(
        Parameter(of=Row("GET", f"{_R}/logs", 200, gives=LOGS, since=NEWEST), name=name, good=["yes", "0"])
        for name in ("stdout", "stderr", "timestamps")
    ),
    *(
        Parameter(of=Row("GET", f"{_R}/logs", 200), name=name, bad=["maybe", "t", ""])
        for name in ("stdout", "stderr", "timestamps")
    ),
    Parameter(of=Row("GET", f"{_R}/logs", 200, gives=LOGS, since=40), name="tail", good=["all", "1", "None", "lots"]),
    Parameter(
        of=Row("GET", f"{_R}/logs", 200, gives=LOGS, since=40),
        name="since",
        good=["0", "1760000000", "2026-11-21 10:20:30,000"],
    ),
    Parameter(of=Row("GET", f"{_R}/logs", 200), name="since", bad=["yesterday", "None"]),
    Parameter(
        of=Row("GET", "/containers/{stopped}/logs", 200, gives=LOGS),
        name="follow",
        since=NEWEST,
        bad=["maybe"],
        zun=OURS,
    ),
    Row("GET", "/containers/{stopped}/logs", 200, query={"follow": "true"}, since=NEWEST, otherwise=UNKNOWN_PROPERTY),
    Row("GET", f"{_R}/logs", 400, names="colour", query={"colour": "red"}),
    Row("GET", f"/containers/{NONE}/logs", 404, code=NO_CONTAINER),
)

_RUN = Row("POST", f"{_R}/execute", 200, gives=EXECUTED, query={"command": "echo hello"}, since=NEWEST)
_LATER = Row(
    "POST", f"{_R}/execute", 200, gives=TO_BE_EXECUTED, query={"command": "sh", "interactive": "True", "run": "False"}
)
_COMMANDS: tuple[Row | Parameter, ...] = (
    Row(
        "POST",
        f"{_R}/execute",
        200,
        gives=EXECUTED,
        query={"command": '"echo" "a b"'},
        shows={"output": "a b\n", "exit_code": 0},
    ),
    Row(
        "POST",
        f"{_R}/execute",
        200,
        gives=EXECUTED,
        body={"command": "sh -c 'echo bad >&2; exit 3'"},
        shows={"output": "bad\n", "exit_code": 3},
        since=40,
    ),
    Row(
        "POST",
        f"{_R}/execute",
        200,
        gives=EXECUTED,
        query={"command": "true"},
        body={"run": True, "interactive": False},
        since=40,
    ),
    Row("POST", f"{_R}/execute", 400, names="command", zun=MISSING, label="without command"),
    Row("POST", f"{_R}/execute", 400, code=INVALID, names="command", query={"command": ""}),
    *(
        Parameter(of=Row("POST", f"{_R}/execute", 200, query={"command": "true"}), name=name, bad=["1", "yes", "maybe"])
        for name in ("run", "interactive")
    ),
    Row(
        "POST",
        f"{_R}/execute",
        200,
        query={"command": "true", "detach": "True"},
        since=NEWEST,
        otherwise=Refused(names="detach"),
        zun=OURS,
    ),
    Row("POST", f"{_R}/execute", 400, names="colour", query={"command": "true", "colour": "red"}),
    Row("POST", f"/containers/{NONE}/execute", 404, code=NO_CONTAINER, query={"command": "true"}),
    Row(
        "POST",
        f"{_R}/execute",
        200,
        gives=TO_BE_EXECUTED,
        query={"command": '"sh"', "interactive": "True", "run": "False"},
        label="as zunclient asks for a console",
    ),
    *(
        Row(
            "POST",
            f"{_R}/execute",
            200,
            gives=TO_BE_EXECUTED,
            query={"command": "sh", "run": "false", name: "false"},
            since=NEWEST,
            otherwise=UNKNOWN_PROPERTY,
        )
        for name in ("tty", "stdin")
    ),
    # The size of its terminal.
    Row(
        "POST",
        f"{_R}/execute_resize",
        400,
        names="exec_id",
        query={"w": "80", "h": "24"},
        zun=MISSING,
        label="without exec_id",
    ),
    *(
        Row(
            "POST",
            f"{_R}/execute_resize",
            400,
            code=INVALID,
            names="exec_id",
            query={"exec_id": bad, "w": "80", "h": "24"},
        )
        for bad in ("", _EXEC_ID[1:], _EXEC_ID + "0", _EXEC_ID.upper())
    ),
    *(
        Row(
            "POST",
            f"{_R}/execute_resize",
            400,
            code=INVALID,
            names=name,
            query={"exec_id": _EXEC_ID, "w": "80", "h": "24", name: bad},
        )
        for name in ("w", "h")
        for bad in ("0", "-1", "wide")
    ),
    Row(
        "POST",
        f"{_R}/execute_resize",
        400,
        query={"exec_id": _EXEC_ID, "w": "80", "h": "24"},
        label="exec_id of nothing",
    ),
    Row(
        "POST",
        f"{_R}/execute_resize",
        400,
        names="colour",
        query={"exec_id": _EXEC_ID, "w": "80", "h": "24", "colour": "red"},
    ),
)

_CONSOLES: tuple[Row | Parameter, ...] = (
    Row("GET", f"{_T}/attach", 200, gives=ATTACHED),
    Row("GET", f"{_T}/attach", 200, gives=ATTACHED, query={"colour": "red"}, until=40),
    Row("GET", f"{_R}/attach", 400, code="container.no-interactive-flag", until=40, label="not interactive"),
    *(
        Row("GET", f"{_T}/attach", 400, code=TOO_NEW, names=name, query={name: "true"}, until=40)
        for name in ("logs", "stdin")
    ),
    Row("GET", f"{_R}/attach", 200, gives=ATTACHED, query={"logs": "true", "stdin": "false"}, since=NEWEST),
    Row("GET", f"/containers/{NONE}/attach", 404, code=NO_CONTAINER),
    Row("POST", f"{_T}/resize", 200, gives=NOTHING, query={"w": "80", "h": "24"}),
    Row("POST", f"{_T}/resize", 200, gives=NOTHING, body={"w": 80, "h": 24}),
    *(
        Row("POST", f"{_T}/resize", 400, code=INVALID, names=name, query={"w": "80", "h": "24", name: bad})
        for name in ("w", "h")
        for bad in ("0", "-1", "wide")
    ),
    Row("POST", f"{_T}/resize", 400, names="colour", query={"w": "80", "h": "24", "colour": "red"}),
)

_FIGURES: tuple[Row | Parameter, ...] = (
    Row("GET", f"{_R}/top", 200, gives=TOP),
    Row("GET", f"{_R}/top", 200, gives=TOP, query={"ps_args": "None"}, since=40),
    Row(
        "GET",
        f"{_R}/top",
        200,
        gives=TOP,
        query={"ps_args": "-o pid,comm"},
        since=40,
        shows={"Titles": ["PID", "COMMAND"]},
    ),
    Row("GET", f"{_R}/top", 400, names="colour", query={"colour": "red"}),
    Row("GET", f"{_R}/stats", 200, gives=STATS, shows={"CONTAINER": "{mark}-running"}),
    *(Row("GET", f"/containers/{NONE}/{verb}", 404, code=NO_CONTAINER) for verb in ("top", "stats")),
)

_FILES: tuple[Row | Parameter, ...] = (
    Row("GET", f"{_R}/get_archive", 200, gives=ARCHIVE, query={"path": "/etc"}, since=25),
    Row("GET", f"{_R}/get_archive", 400, names="path", zun=MISSING, label="without path"),
    Row("GET", f"{_R}/get_archive", 404, query={"path": "/no/such/path"}, since=25, zun=NO_PATH),
    Row("GET", f"/containers/{NONE}/get_archive", 404, code=NO_CONTAINER, query={"path": "/etc"}),
    Row(
        "POST",
        f"{_R}/put_archive",
        200,
        gives=NOTHING,
        query={"path": "/tmp"},
        body={"data": _BASE64},
        since=25,
        label="path=/tmp data=base64",
    ),
    Row(
        "POST",
        f"{_R}/put_archive",
        200,
        gives=NOTHING,
        body={"path": "/tmp", "data": _BASE64},
        since=25,
        label="path and data in the body",
    ),
    Row(
        "POST",
        f"{_R}/put_archive",
        200,
        gives=NOTHING,
        query={"path": "/tmp"},
        body={"data": _PLAIN},
        until=24,
        label="path=/tmp data=text",
    ),
    Row("POST", f"{_R}/put_archive", 400, query={"path": "/tmp"}, body={"data": "no base64!"}, since=25),
    Row("POST", f"{_R}/put_archive", 400, names="path", body={"data": _BASE64}, zun=MISSING, label="without path"),
    Row("POST", f"{_R}/put_archive", 400, names="data", query={"path": "/tmp"}, zun=MISSING, label="without data"),
    Row(
        "POST",
        f"/containers/{NONE}/put_archive",
        404,
        code=NO_CONTAINER,
        query={"path": "/tmp"},
        body={"data": _BASE64},
        since=25,
        label="path=/tmp data=base64",
    ),
    Row(
        "GET",
        f"{_R}/get_archive",
        200,
        query={"path": "/etc"},
        headers={"Accept": "application/x-tar"},
        since=NEWEST,
        label="as a tar archive",
    ),
    Row(
        "POST",
        f"{_R}/put_archive",
        200,
        query={"path": "/tmp"},
        body=_archive(),
        headers={"Content-Type": "application/x-tar"},
        since=NEWEST,
        label="a tar archive",
    ),
)

_COMMIT: tuple[Row | Parameter, ...] = (
    Row("POST", f"{_R}/commit", 400, names="repository", label="without repository"),
    *(
        Row("POST", f"{_R}/commit", 400, names="tag", query={"repository": "some", "tag": tag})
        for tag in ("", "a b", "-a", "x" * 129)
    ),
    Row("POST", f"{_R}/commit", 400, names="colour", query={"repository": "a", "colour": "red"}),
    Row("POST", f"/containers/{NONE}/commit", 404, code=NO_CONTAINER, query={"repository": "some"}),
)

ROWS: tuple[Row | Parameter, ...] = (*_LOGS, *_COMMANDS, *_CONSOLES, *_FIGURES, *_FILES, *_COMMIT)
