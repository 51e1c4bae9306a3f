"""Containers that there are: lists, one of them, changes, the verbs that change what they do, and their records."""

from collections.abc import Iterator

from tests.compat.differences import COLUMNS, FORCE_STOP, NULL_UPDATE, OURS, STRANGERS
from tests.compat.ground import NONE
from tests.compat.shapes import ACTION, ACTIONS, CONTAINER, CONTAINERS
from tests.compat.table import (
    ADMIN,
    FORBIDDEN,
    GATED,
    INVALID,
    NEWEST,
    NO_CONTAINER,
    NOT_IN_THIS_VERSION,
    STRANGER,
    ZUNS,
    Parameter,
    Row,
)

LIST = Row("GET", "/containers", 200, gives=CONTAINERS)
ALL = Row("GET", "/containers", 200, gives=CONTAINERS, who=ADMIN)
SHOW = Row("GET", "/containers/{created}", 200, gives=CONTAINER)
RESIZE = Row("POST", "/containers/{created}/resize_container", 202, gives=CONTAINER, body={"cpu": 0.1}, since=19)
PATCH = Row("PATCH", "/containers/{created}", 200, gives=CONTAINER, body={})
DELETE = Row("DELETE", f"/containers/{NONE}", 404, code=NO_CONTAINER)
_STRICT = ("1", "t", "true", "on", "y", "yes", "TRUE", "On", "0", "f", "false", "off", "n", "no")

_LISTS: tuple[Row | Parameter, ...] = (
    Row("GET", "/containers", 200, gives=CONTAINERS, who=ADMIN, query={"all_projects": "1"}, every=True),
    Parameter(of=LIST, name="limit", good=["1", "1000", "99999"]),
    Parameter(of=LIST, name="limit", bad=["0", "-1", "one", "1.5", ""], code=None),
    Parameter(of=LIST, name="marker", good=["{created}"]),
    Row("GET", "/containers", 404, query={"marker": NONE}),
    Parameter(of=LIST, name="sort_dir", good=["asc", "desc"]),
    Parameter(of=LIST, name="sort_dir", bad=["up"], code=None),
    Parameter(
        of=LIST, name="sort_key", good=["id", "name", "status", "image", "memory", "created_at", "updated_at", "uuid"]
    ),
    Parameter(of=LIST, name="sort_key", bad=["colour", "name desc"], code="container.invalid-parameter-value"),
    Parameter(
        of=LIST,
        name="sort_key",
        bad=["container_id", "websocket_token"],
        code="container.invalid-parameter-value",
        zun=COLUMNS,
    ),
    Parameter(of=ALL, name="all_projects", good=_STRICT),
    Parameter(of=LIST, name="all_projects", bad=["maybe", "2", ""], code=None),
    Parameter(of=LIST, name="all_projects", good=["false", "no"]),
    Row(
        "GET",
        "/containers",
        403,
        code=FORBIDDEN,
        names="container:get_all_all_projects",
        query={"all_projects": "true"},
    ),
    *(
        Parameter(of=LIST, name=name, good=["anything"])
        for name in ("name", "image", "project_id", "user_id", "memory", "task_state", "status")
    ),
    Parameter(of=LIST, name="auto_remove", good=["0", "1"]),
    *(Parameter(of=LIST, name=name, good=["anything"]) for name in ("expand", "resource_url")),
    Row("GET", "/containers", 403, code=FORBIDDEN, names="container:get_one:host", query={"host": "any"}),
    Row("GET", "/containers", 200, gives=CONTAINERS, query={"host": "{host}"}, who=ADMIN),
    Row("GET", "/containers", 400, names="colour", query={"colour": "red"}),
    Row("GET", "/containers", 200, gives=CONTAINERS, query={"expand": "true"}),
    Row(
        "GET",
        "/containers/",
        200,
        gives=CONTAINERS,
        query={"limit": "1", "sort_key": "name", "sort_dir": "desc"},
        label="as zunclient asks",
    ),
)

_ONE: tuple[Row | Parameter, ...] = (
    Row(
        "GET", "/containers/{created}", 200, gives=CONTAINER, query={"all_projects": "False"}, label="as zunclient asks"
    ),
    Row(
        "GET",
        "/containers/{created}",
        403,
        code=FORBIDDEN,
        names="container:get_one_all_projects",
        query={"all_projects": "true"},
    ),
    Row("GET", "/containers/{created}", 200, gives=CONTAINER, query={"all_projects": "true"}, who=ADMIN),
    Row("GET", "/containers/{created}", 200, gives=CONTAINER, query={"colour": "red"}),
    *(
        Row(method, f"/containers/{{created}}{rest}", 404, code=NO_CONTAINER, who=STRANGER, zun=zun)
        for method, rest, zun in (
            *(
                ("GET", "", None),
                ("PATCH", "", None),
                ("DELETE", "", None),
                ("POST", "/start", None),
                ("GET", "/logs", None),
            ),
            *(("GET", "/container_actions", STRANGERS), ("GET", "/container_actions/{request}", STRANGERS)),
        )
    ),
    # A change.
    Parameter(
        of=PATCH,
        name="name",
        shown=[("ab", "ab"), ("x" * 255, "x" * 255)],
        bad=["", "a", "-ab", "a b", "x" * 256, 7, []],
    ),
    Row(
        "PATCH",
        "/containers/{created}",
        200,
        gives=CONTAINER,
        body={"name": "{mark}-created"},
        shows={"name": "{mark}-created"},
        every=True,
    ),
    Parameter(of=PATCH, name="cpu", shown=[(0.2, 0.2), ("0.3", 0.3), ("0.1", 0.1)], bad=[0, 16.1, "1m", "", []]),
    Parameter(of=PATCH, name="memory", shown=[("24", "24"), (16, "16")], bad=[3, 8193, "16m", "", []]),
    Parameter(of=PATCH, name="auto_heal", shown=[(True, True), ("False", False)], bad=["yes", 5]),
    Parameter(of=PATCH, name="name", good=[None], zun=NULL_UPDATE),
    Parameter(of=PATCH, name="memory", good=[None], zun=NULL_UPDATE),
    Row("PATCH", "/containers/{created}", 400, code=INVALID, names="image", body={"image": "busybox"}),
    Row("PATCH", f"/containers/{NONE}", 404, code=NO_CONTAINER, body={"name": "web"}),
    # The same by an action, from 1.19 on.
    Row(
        "POST",
        "/containers/{created}/resize_container",
        202,
        gives=CONTAINER,
        body={"cpu": 0.1},
        since=19,
        otherwise=NOT_IN_THIS_VERSION,
    ),
    Row(
        "POST",
        "/containers/{created}/resize_container",
        400,
        code=INVALID,
        names="memory",
        body={"memory": "16m"},
        since=19,
    ),
    Row(
        "POST",
        "/containers/{created}/resize_container",
        400,
        code=INVALID,
        names="image",
        body={"image": "busybox"},
        since=19,
    ),
    Parameter(of=RESIZE, name="name", bad=["a", 5]),
    Parameter(of=RESIZE, name="auto_heal", good=[False], bad=["yes", 5]),
    # Another name, up to 1.13.
    Row(
        "POST",
        "/containers/{created}/rename",
        409,
        query={"name": "{mark}-created"},
        until=13,
        otherwise=NOT_IN_THIS_VERSION,
        label="name=the same",
    ),
    Row(
        "POST", "/containers/{stopped}/rename", 200, gives=CONTAINER, query={"name": "{mark}-renamed"}, until=1, since=1
    ),
    Row(
        "POST",
        "/containers/{stopped}/rename",
        200,
        gives=CONTAINER,
        query={"name": "{mark}-stopped"},
        until=13,
        since=13,
    ),
    Row("POST", "/containers/{created}/rename", 400, names="name", until=13),
    *(
        Row("POST", "/containers/{created}/rename", 400, names="name", query={"name": name}, until=13)
        for name in ("a", "-ab", "a b")
    ),
    # A delete: the flags, and who may use them. What they do is in test_states.py.
    Parameter(of=DELETE, name="stop", since=12, good=["True", "on", "1", "False"], bad=["maybe", "t", "2"]),
    Parameter(of=DELETE, name="stop", since=12, good=["true"], otherwise=GATED),
    Parameter(of=DELETE, name="force", since=7, good=["True", "False"], bad=["maybe", "t", "2"]),
    Parameter(of=DELETE, name="force", since=7, good=["true"], otherwise=GATED),
    Row(
        "DELETE",
        f"/containers/{NONE}",
        404,
        code=NO_CONTAINER,
        query={"force": "False", "stop": "False", "all_projects": "False"},
        every=True,
    ),
    Row("DELETE", f"/containers/{NONE}", 400, names="colour", query={"colour": "red"}),
    Row(
        "DELETE",
        "/containers/{created}",
        403,
        code=FORBIDDEN,
        names="container:delete_force",
        query={"force": "true"},
        since=7,
    ),
    Row(
        "DELETE",
        "/containers/{created}",
        403,
        code=FORBIDDEN,
        names="container:delete_force",
        query={"force": "true", "stop": "true"},
        since=12,
        zun=FORCE_STOP,
    ),
    Row(
        "DELETE",
        "/containers/{created}",
        403,
        code=FORBIDDEN,
        names="container:delete_all_projects",
        query={"all_projects": "true"},
    ),
)


def _verbs() -> Iterator[Row]:
    """Nothing here happens: the parameters are refused, or there is no such container. What happens is in test_states.py."""
    for verb in ("start", "pause", "unpause", "stop", "reboot", "kill", "rebuild"):
        yield Row("POST", f"/containers/{NONE}/{verb}", 404, code=NO_CONTAINER)
    for verb in ("start", "pause", "unpause"):
        yield Row("POST", f"/containers/{NONE}/{verb}", 404, code=NO_CONTAINER, query={"colour": "red"})
    for verb in ("stop", "reboot"):
        for value in ("0", "10"):
            yield Row("POST", f"/containers/{NONE}/{verb}", 404, code=NO_CONTAINER, query={"timeout": value})
        for body in ({"timeout": 7}, {"timeout": "7"}):
            yield Row("POST", f"/containers/{NONE}/{verb}", 404, code=NO_CONTAINER, body=body)
        for value in ("-1", "soon", "1.5"):
            yield Row(
                "POST", f"/containers/{{created}}/{verb}", 400, code=INVALID, names="timeout", query={"timeout": value}
            )
        yield Row("POST", f"/containers/{{created}}/{verb}", 400, code=INVALID, names="timeout", body={"timeout": -1})
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        yield Row(
            "POST",
            f"/containers/{NONE}/{verb}",
            404,
            code=NO_CONTAINER,
            body=b"timeout=7",
            headers=form,
            label="form timeout=7",
        )
        yield Row(
            "POST",
            f"/containers/{{created}}/{verb}",
            400,
            code=INVALID,
            names="timeout",
            body=b"timeout=soon",
            headers=form,
            label="form timeout=soon",
        )
        yield Row("POST", f"/containers/{{created}}/{verb}", 400, names="colour", query={"colour": "red"})
    for value in ("None", "SIGHUP", "HUP", "sighup", "hup", "1", "SIGRTMIN", "64"):
        yield Row("POST", f"/containers/{NONE}/kill", 404, code=NO_CONTAINER, query={"signal": value})
    for value in ("SIGNOPE", "", "0", "99", "-9", "Hup"):
        yield Row("POST", "/containers/{created}/kill", 400, code=INVALID, names="signal", query={"signal": value})
    yield Row("POST", f"/containers/{NONE}/kill", 404, code=NO_CONTAINER, body={"signal": "SIGHUP"})
    yield Row("POST", "/containers/{created}/kill", 400, code=INVALID, names="signal", body={"signal": 1})
    yield Row("POST", "/containers/{created}/kill", 400, names="colour", query={"colour": "red"})
    yield Row(
        "POST",
        f"/containers/{NONE}/rebuild",
        404,
        code=NO_CONTAINER,
        query={"image": "busybox", "image_driver": "docker"},
    )
    yield Row("POST", f"/containers/{NONE}/rebuild", 404, code=NO_CONTAINER, query={"colour": "red"})
    yield Row("POST", "/containers/{created}/rebuild", 400, names="image_driver", query={"image_driver": "ftp"})


_ACTIONS: tuple[Row | Parameter, ...] = (
    *(
        Row("GET", "/containers/{running}/container_actions", 200, gives=ACTIONS, every=True, who=who)
        for who in ("member", ADMIN)
    ),
    *(
        Row(
            "GET",
            "/containers/{running}/container_actions/{request}",
            200,
            gives=ACTION,
            every=True,
            who=who,
            shows={"request_id": "{request}", "action": "create", "container_uuid": "{running}"},
        )
        for who in ("member", ADMIN)
    ),
    Row("GET", f"/containers/{NONE}/container_actions", 404, code=NO_CONTAINER),
    Row(
        "GET",
        "/containers/{running}/container_actions/req-none",
        404,
        code="container.resource-not-found",
        names="The Action resource req-none could not be found.",
    ),
)

# From 1.41 on, of which Zun knows nothing.
_OURS: tuple[Row | Parameter, ...] = (
    Row("GET", "/containers/{created}", 200, gives=CONTAINER, query={"wait": "Created", "timeout": "5"}, since=NEWEST),
    Row(
        "GET",
        "/containers/{created}",
        200,
        gives=CONTAINER,
        query={"wait": "Nothing"},
        until=40,
        label="wait is ignored before",
    ),
    Parameter(of=SHOW, name="wait", since=NEWEST, bad=["Nothing", ""], zun=OURS),
    Parameter(of=SHOW, name="timeout", until=ZUNS, good=["soon"]),
    Parameter(of=SHOW, name="timeout", since=NEWEST, bad=["-1", "3601", "soon"], zun=OURS),
    Row(
        "POST",
        "/containers",
        400,
        names="Idempotency-Key",
        headers={"Idempotency-Key": "x" * 256},
        body={"image": "busybox"},
        label="Idempotency-Key too long",
        since=NEWEST,
    ),
)

ROWS: tuple[Row | Parameter, ...] = (*_LISTS, *_ONE, *_verbs(), *_ACTIONS, *_OURS)
