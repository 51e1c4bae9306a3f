"""POST /containers: every parameter with values that are taken and values that are refused."""

import json
from collections.abc import Mapping
from typing import Any

from tests.compat.differences import (
    CONTENT_TYPE,
    LABELS,
    NO_GROUP,
    NO_JSON,
    NO_NULL,
    NO_PORTS,
    NO_SIXES,
    NULL,
    OURS,
    UNCHECKED_HEALTH,
    UNPRIVILEGED,
    VOLUMES,
)
from tests.compat.ground import NONE, NOWHERE
from tests.compat.shapes import DRY_RUN, NEW_CONTAINER
from tests.compat.table import (
    ADMIN,
    FORBIDDEN,
    GATED,
    INVALID,
    MEMBER,
    NEWEST,
    TOO_NEW,
    UNKNOWN_PROPERTY,
    Parameter,
    Refused,
    Row,
)

_IMAGE = {"image": "{image_name}", "availability_zone": NOWHERE}
CREATE = Row("POST", "/containers", 202, gives=NEW_CONTAINER, body=_IMAGE)
INVALID_BELOW = Refused()
BY_ADMIN = Row("POST", "/containers", 202, gives=NEW_CONTAINER, body=_IMAGE, who=ADMIN)
_TRUTHS = ((True, True), (False, False), ("True", True), ("true", True), ("False", False), ("false", False))
_NO_TRUTHS: tuple[object, ...] = ("1", "yes", "t", "", 5, [])


def _with(kept: Mapping[str, object], status: int, **row: Any) -> Row:
    """A create with these keys that is answered so."""
    return Row("POST", "/containers", status, body={**_IMAGE, **kept}, label=json.dumps(kept), **row)


ROWS: tuple[Row | Parameter, ...] = (
    Row("POST", "/containers", 202, gives=NEW_CONTAINER, body=_IMAGE, every=True, label="every field"),
    Row(
        *("POST", "/containers", 202),
        gives=NEW_CONTAINER,
        body=_IMAGE,
        shows={
            "cpu_policy": "shared",
            "disk": 0,
            "auto_remove": False,
            "interactive": False,
            "tty": False,
            "auto_heal": False,
        }
        | dict.fromkeys(("command", "environment", "ports", "labels", "addresses", "restart_policy"))
        | dict.fromkeys(("security_groups", "healthcheck", "entrypoint", "registry_id", "workdir", "hostname")),
        label="what it is without a word",
    ),
    # parameter, values that are taken and what is shown then, values that are refused
    Parameter(
        of=CREATE,
        name="image",
        shown=[(f"registry.invalid:5000/a/b{tag}", f"registry.invalid:5000/a/b{tag}") for tag in ("", ":1.0_x")],
        bad=["", "a", None, 5, [], "x" * 256],
    ),
    Row(
        "POST", "/containers", 400, code=INVALID, names="'image' is a required property", body={}, label="without image"
    ),
    Row(
        "POST",
        "/containers",
        400,
        names="'image' is a required property",
        body=b"",
        headers={"Content-Type": "application/json"},
        label="without body",
    ),
    Row("POST", "/containers", 400, body=b"[1]", label="body that is a list"),
    Row("POST", "/containers", 400, body=b'{"image": "busybox", ', zun=NO_JSON, label="body that breaks off"),
    Row(
        "POST",
        "/containers",
        415,
        body=b"image=busybox",
        headers={"Content-Type": "text/plain"},
        zun=CONTENT_TYPE,
        label="body that is text",
    ),
    _with(
        {"colour": "red"}, 400, code=INVALID, names="Additional properties are not allowed ('colour' was unexpected)"
    ),
    Parameter(
        of=CREATE,
        name="name",
        shown=[("ab", "ab"), ("a.b_c-D", "a.b_c-D"), ("7up", "7up"), ("x" * 255, "x" * 255)],
        good=[None],
        bad=["", "a", "-ab", ".ab", "a b", "a/b", "web\n", "w\u00e4b", "x" * 256, 7, [], {}],
    ),
    Parameter(
        of=CREATE,
        name="command",
        until=19,
        shown=[("sleep 600", ["sleep", "600"]), ('sh -c "echo a b"', ["sh", "-c", "echo a b"]), (None, None)],
        bad=[["sleep", "600"], 5, {}],
    ),
    Parameter(
        of=CREATE,
        name="command",
        since=20,
        shown=[(["sleep", "600"], ["sleep", "600"]), ([], None), (None, None)],
        bad=["sleep 600", 5, {}],
    ),
    Parameter(
        of=CREATE,
        name="entrypoint",
        since=40,
        shown=[(["sh", "-c"], ["sh", "-c"])],
        good=[None],
        bad=["sh", 5, {}],
    ),
    Parameter(of=CREATE, name="entrypoint", since=40, good=[["env"]], otherwise=UNKNOWN_PROPERTY),
    Parameter(
        of=CREATE,
        name="cpu",
        shown=[(0.5, 0.5), ("0.5", 0.5), (1, 1.0), ("1", 1.0), (".5", 0.5), (0.1, 0.1), (16, 16.0), ("16.0", 16.0)],
        bad=[0, 0.09, "0.09", 16.1, "16.1", -1, "-1", "1e0", "500m", "one", "", True, []],
    ),
    Parameter(of=CREATE, name="cpu_policy", shown=[("shared", "shared")], bad=["", "exclusive", 5]),
    Parameter(
        of=CREATE,
        name="memory",
        shown=[(64, "64"), ("64", "64"), (4, "4"), ("8192", "8192")],
        bad=[3, "3", 8193, "8193", -64, "512m", "512 ", "1.5", "", True, []],
    ),
    Parameter(of=CREATE, name="disk", shown=[(1, 1), ("1", 1), (40, 40)], bad=[0, "0", 161, "161", "1g", "", True, []]),
    *(
        Parameter(of=CREATE, name=name, since=since, good=[None], zun=NULL)
        for name, since in (("cpu", 1), ("memory", 1), ("disk", 1), ("nets", 1), ("mounts", 1))
    ),
    *(
        Parameter(of=CREATE, name=name, good=[None], zun=NO_NULL)
        for name in ("cpu_policy", "interactive", "tty", "auto_heal")
    ),
    Parameter(of=CREATE, name="hostname", since=9, good=[None], zun=NO_NULL),
    Parameter(of=CREATE, name="labels", bad=[{"app": {"tier": "1"}}], zun=LABELS),
    Parameter(of=CREATE, name="workdir", shown=[("/tmp", "/tmp"), (None, None)], bad=[5, []]),
    Parameter(
        of=CREATE,
        name="environment",
        shown=[({"A": "1"}, {"A": "1"}), ({"A": ""}, {"A": ""})],
        good=[{}, None],
        bad=[{"A": 1}, {"A": None}, ["A=1"], "A=1", 5],
    ),
    Parameter(
        of=CREATE,
        name="labels",
        shown=[({"app": "1"}, {"app": "1"}), ({"app": 1}, {"app": "1"})],
        good=[{}, None],
        bad=[["app"], "app", 5],
    ),
    Parameter(
        of=CREATE,
        name="restart_policy",
        shown=[
            ({"Name": "no"}, {"Name": "no", "MaximumRetryCount": "0"}),
            ({"Name": "always"}, {"Name": "always", "MaximumRetryCount": "0"}),
            ({"Name": "unless-stopped", "MaximumRetryCount": 0}, {"Name": "unless-stopped", "MaximumRetryCount": "0"}),
            ({"Name": "on-failure", "MaximumRetryCount": 2}, {"Name": "on-failure", "MaximumRetryCount": "2"}),
            ({"Name": "on-failure", "MaximumRetryCount": "2"}, {"Name": "on-failure", "MaximumRetryCount": "2"}),
            ({"Name": "on-failure", "MaximumRetryCount": None}, {"Name": "on-failure", "MaximumRetryCount": "0"}),
            ({"Name": "no", "MaximumRetryCount": 7}, {"Name": "no", "MaximumRetryCount": "0"}),
        ],
        good=[None],
        bad=[
            *({}, {"MaximumRetryCount": 1}, {"Name": "sometimes"}, {"Name": "no", "Other": 1}, {"Name": None}),
            *({"Name": "on-failure", "MaximumRetryCount": bad} for bad in (-1, "-1", "many", 1.5)),
            *("always", 5, []),
        ],
    ),
    *(
        _with(
            {"restart_policy": {"Name": name, "MaximumRetryCount": 3}},
            400,
            names=f"maximum retry count not valid with restart policy of {name}",
        )
        for name in ("always", "unless-stopped")
    ),
    Parameter(of=CREATE, name="interactive", shown=_TRUTHS, bad=_NO_TRUTHS),
    Parameter(of=CREATE, name="tty", shown=_TRUTHS, bad=_NO_TRUTHS),
    Parameter(of=CREATE, name="auto_heal", shown=_TRUTHS, bad=_NO_TRUTHS),
    Parameter(
        of=CREATE,
        name="auto_remove",
        since=3,
        shown=[(False, False)],
        good=[None],
        bad=["true", "False", 1, []],
    ),
    Parameter(of=CREATE, name="auto_remove", since=3, shown=[(True, True)], otherwise=GATED),
    # One word for both from 1.20 to 1.35; before and after each means itself.
    *(
        Row(
            "POST",
            "/containers",
            202,
            body={**_IMAGE, "interactive": True, **more},
            shows={"tty": tty},
            since=since,
            until=until,
            label=label,
        )
        for since, until, more, tty, label in (
            (1, 19, {}, False, "interactive does not imply tty"),
            (20, 35, {}, True, "interactive implies tty"),
            (20, 35, {"tty": False}, True, "interactive overrules tty"),
            (36, 41, {}, False, "interactive implies no tty"),
            (36, 41, {"tty": True}, True, "interactive beside tty"),
        )
    ),
    Parameter(
        of=CREATE,
        name="image_driver",
        shown=[("docker", "docker"), (None, "docker"), ("None", "docker")],
        bad=["", "ftp", 5],
    ),
    Parameter(
        of=BY_ADMIN,
        name="image_pull_policy",
        good=["never", "always", "ifnotpresent", "Never", "Always", "IfNotPresent", None],
        bad=["", "sometimes", 5],
    ),
    _with({"image_pull_policy": "never"}, 403, code=FORBIDDEN, names="container:create:image_pull_policy"),
    Parameter(of=CREATE, name="security_groups", good=[[], None], bad=["default", [5], [""], ["x" * 256]]),
    _with({"security_groups": ["default"]}, 400, names="default", zun=NO_GROUP),
    _with({"security_groups": ["nobodys"]}, 400, names="nobodys"),
    Parameter(of=CREATE, name="published_ports", since=41, good=[[], None], bad=["80", 80, {}, [80], [{"port": 0}]]),
    Parameter(of=CREATE, name="published_ports", since=41, bad=[[{"port": 80, "protocol": "sctp"}], [{"port": 65536}]]),
    _with({"published_ports": []}, 400, names="published_ports", until=40),
    Parameter(of=CREATE, name="exposed_ports", since=24, good=[None], bad=["80", ["80/tcp"], 80]),
    Parameter(of=CREATE, name="exposed_ports", since=24, good=[{}], otherwise=GATED),
    Parameter(of=CREATE, name="exposed_ports", since=24, good=[{"80/tcp": {}}, {"53/udp": {}}, {"80": {}}]),
    Parameter(of=CREATE, name="exposed_ports", since=24, bad=[{"80/sctp": {}}, {"http/tcp": {}}], code=None),
    _with({"exposed_ports": {"80/tcp": {}}, "security_groups": ["default"]}, 400, since=24),
    Parameter(
        of=CREATE,
        name="nets",
        good=[[], [{"network": "{network}"}], [{"network": "{network}"}, {"network": "{network}"}]],
        bad=[
            *("private", 5, {}, ["private"], [{}], [{"network": "a", "port": "b"}], [{"v4-fixed-ip": "10.0.0.7"}]),
            *([{"network": one}] for one in ("", "x" * 256, 5)),
            *([{"network": "{network}", "v4-fixed-ip": one}] for one in ("10.0.0", "fd00::7", 5)),
            *([{"network": "{network}", "v6-fixed-ip": one}] for one in ("10.0.0.7", 5)),
            [{"network": "{network}", "colour": "red"}],
        ],
    ),
    Parameter(of=CREATE, name="nets", bad=[[{"network": "{network}", "v6-fixed-ip": "fd00::7"}]], zun=NO_SIXES),
    _with({"nets": [{"network": "nobodys"}]}, 404, code="container.network-not-found", names="nobodys"),
    _with({"nets": [{"port": NONE}]}, 404, code="container.port-not-found", names="could not be found"),
    _with({"nets": [{"port": "{port}"}]}, 404, names="could not be found", zun=NO_PORTS),
    Parameter(of=CREATE, name="mounts", good=[[]], bad=["/data", 5, {}, ["/data"]]),
    Parameter(of=CREATE, name="mounts", since=11, bad=[[{}], [{"source": "a"}]]),
    Parameter(
        of=CREATE,
        name="mounts",
        since=11,
        good=[
            [{"size": "1", "destination": "/data"}],
            [{"source": "", "size": "2", "destination": "/data"}],
            [{"type": "volume", "size": 1, "destination": "/data"}],
            [{"type": "bind", "source": "aGVsbG8=", "destination": "/etc/motd"}],
        ],
        zun=VOLUMES,
    ),
    Parameter(
        of=CREATE,
        name="mounts",
        since=11,
        bad=[
            [{"size": "1", "destination": "data"}],
            [{"size": "1", "destination": "/a/../b"}],
            [{"size": "1", "destination": "/"}],
            [{"size": "1", "destination": "/a"}, {"size": "1", "destination": "/a/"}],
            [{"size": "1G", "destination": "/data"}],
            [{"source": "", "destination": "/data"}],
            [{"type": "nfs", "size": 1, "destination": "/data"}],
        ],
        zun=VOLUMES,
    ),
    Parameter(
        of=CREATE,
        name="mounts",
        since=NEWEST,
        shown=[
            (
                [{"type": "tmpfs", "destination": "/run", "size": 16, "read_only": True}],
                [{"type": "tmpfs", "destination": "/run", "source": None, "size": 16, "read_only": True}],
            )
        ],
        otherwise=INVALID_BELOW,
        zun=VOLUMES,
    ),
    _with(
        {"mounts": [{"source": "nobodys", "destination": "/data"}]},
        404,
        code="container.volume-not-found",
        names="nobodys",
        since=11,
        zun=VOLUMES,
    ),
    _with({"mounts": [{"size": "1", "destination": "/data"}]}, 400, code=TOO_NEW, names="mounts", until=10, every=True),
    Parameter(
        of=CREATE,
        name="hostname",
        since=9,
        shown=[("a.b-c_d", "a.b-c_d")],
        bad=["", "a b", "a/b", "x" * 256, 5, []],
    ),
    Parameter(of=CREATE, name="hostname", since=9, shown=[("web", "web")], otherwise=GATED),
    Parameter(of=BY_ADMIN, name="runtime", since=5, good=[None], bad=[5, []]),
    Parameter(of=BY_ADMIN, name="runtime", since=5, shown=[("runc", "runc")], otherwise=GATED),
    _with({"runtime": "runc"}, 403, code=FORBIDDEN, names="container:create:runtime", since=5),
    *(
        row
        for who in (MEMBER, ADMIN)
        for row in (
            _with(
                {"privileged": True},
                403,
                code=FORBIDDEN,
                names="container:create:privileged",
                since=21,
                otherwise=GATED,
                who=who,
            ),
            _with({"privileged": False}, 202, since=21, otherwise=GATED, who=who, zun=UNPRIVILEGED),
        )
    ),
    Parameter(of=CREATE, name="privileged", since=21, bad=["yes", 5, []]),
    Parameter(
        of=CREATE,
        name="healthcheck",
        since=22,
        shown=[
            (
                {"cmd": "true", "interval": 5, "retries": 3, "timeout": 2},
                {"test": "true", "interval": 5, "retries": 3, "timeout": 2},
            )
        ],
        good=[{}, None],
        bad=["true", 5, []],
    ),
    Parameter(of=CREATE, name="healthcheck", since=22, good=[{"cmd": "true"}], otherwise=GATED),
    Parameter(
        of=CREATE,
        name="healthcheck",
        since=22,
        bad=[
            {"cmd": "true", "interval": "30s"},
            {"cmd": ""},
            {"cmd": 5},
            {"cmd": "true", "retries": -1},
            {"cmd": "true", "other": 1},
        ],
        zun=UNCHECKED_HEALTH,
    ),
    Parameter(of=CREATE, name="hints", good=[{}, None, {"label:disk": "ssd"}], bad=["ssd", 5, []]),
    Parameter(of=CREATE, name="availability_zone", bad=["", "x" * 256, 5, []]),
    Parameter(of=CREATE, name="registry", since=31, good=["{mark}-registry"], bad=["a", "a b", "-ab", 5]),
    Parameter(of=CREATE, name="registry", since=31, good=["{registry}"], otherwise=GATED),
    _with({"registry": "nobodys"}, 404, code="container.registry-not-found", names="nobodys", since=31),
    Parameter(of=BY_ADMIN, name="host", since=39, good=["{host}"], otherwise=UNKNOWN_PROPERTY),
    Parameter(of=BY_ADMIN, name="host", since=39, bad=["", "a b", 5, "x" * 256]),
    _with(
        {"host": "no-such-host"},
        404,
        code="container.requested-host-not-found",
        names="no-such-host",
        since=39,
        who=ADMIN,
    ),
    _with({"host": "any"}, 403, code=FORBIDDEN, names="container:create:requested_destination", since=39),
    # The query knows one word; and the body knows it too.
    *(
        Row("POST", "/containers", 202, gives=NEW_CONTAINER, query={"run": value}, body=_IMAGE)
        for value in ("True", "true", "TRUE", "1", "ON", "yes", "False", "0", "off", "NO", "no")
    ),
    *(
        Row("POST", "/containers", 400, query={"run": value}, body=_IMAGE, names="run")
        for value in ("t", "y", "maybe", "2")
    ),
    _with({"run": True}, 202),
    # From 1.41 on one can ask only what would happen, of which Zun knows nothing.
    Row(
        *("POST", "/containers", 200),
        gives=DRY_RUN,
        query={"dry_run": "true"},
        body=_IMAGE,
        shows={"fits": False},
        label="dry_run",
        since=NEWEST,
        otherwise=UNKNOWN_PROPERTY,
        zun=OURS,
    ),
    Parameter(of=CREATE, name="dry_run", since=NEWEST, good=[False, None], bad=["perhaps", 2, []], zun=OURS),
    Row("POST", "/containers", 400, query={"walk": "true"}, body=_IMAGE, names="walk"),
)
