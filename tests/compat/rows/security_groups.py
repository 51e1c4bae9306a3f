"""Security groups, and which containers have them."""

from tests.compat.differences import MISSING, OURS
from tests.compat.shapes import SECURITY_GROUP, SECURITY_GROUPS
from tests.compat.table import ADMIN, FORBIDDEN, NOT_IN_THIS_VERSION, STRANGER, Parameter, Row

NONE = "00000000-0000-4000-8000-000000000000"
_UNKNOWN = "container.security-group-not-found"
CREATE = Row("POST", "/security_groups", 201, gives=SECURITY_GROUP, body={"name": "{mark}-web"}, since=41, zun=OURS)
LIST = Row("GET", "/security_groups", 200, gives=SECURITY_GROUPS, since=41, zun=OURS)
_RULE = {"protocol": "tcp", "port_min": 80, "port_max": 90, "source": "10.0.0.0/8"}

ROWS: tuple[Row | Parameter, ...] = (
    Row(
        "POST",
        "/security_groups",
        201,
        gives=SECURITY_GROUP,
        body={"name": "{mark}-web", "rules": [_RULE]},
        shows={"rules": [_RULE]},
        since=41,
        otherwise=NOT_IN_THIS_VERSION,
        zun=OURS,
    ),
    Parameter(of=CREATE, name="name", good=["ab", "a.b_c-D"], bad=["a", "-ab", "a b", "x" * 256, 5, None], since=41),
    Parameter(of=CREATE, name="rules", good=[[], None, [{}]], bad=["tcp/80", {}, ["tcp"]], since=41),
    Parameter(
        of=CREATE,
        name="rules",
        bad=[
            [{"protocol": "sctp"}],
            [{"port_min": 80}],
            [{"protocol": "tcp", "port_max": 80}],
            [{"protocol": "tcp", "port_min": 90, "port_max": 80}],
            [{"protocol": "tcp", "port_min": 65536}],
            [{"source": "everywhere"}],
            [{"source": "10.0.0.1/8"}],
            [{"direction": "egress"}],
        ],
        since=41,
    ),
    Row("POST", "/security_groups", 400, names="name", body={}, since=41, zun=OURS),
    Row("POST", "/security_groups", 400, names="colour", body={"name": "ab", "colour": "red"}, since=41, zun=OURS),
    Row(
        "GET",
        "/security_groups",
        200,
        gives=SECURITY_GROUPS,
        since=41,
        otherwise=NOT_IN_THIS_VERSION,
        label="in each version",
        zun=OURS,
    ),
    Parameter(of=LIST, name="name", good=["anything"], since=41),
    Parameter(of=LIST, name="sort_key", good=["id", "uuid", "name", "created_at"], since=41),
    Parameter(of=LIST, name="limit", good=["1"], since=41),
    Parameter(of=LIST, name="limit", bad=["0", "one"], code=None, since=41),
    Parameter(of=LIST, name="sort_dir", good=["asc", "desc"], since=41),
    Parameter(of=LIST, name="sort_dir", bad=["up"], code=None, since=41),
    Parameter(of=LIST, name="sort_key", bad=["rules"], code="container.invalid-parameter-value", since=41),
    Row("GET", "/security_groups", 404, query={"marker": NONE}, since=41, zun=OURS),
    Row(
        *("GET", "/security_groups", 403),
        code=FORBIDDEN,
        names="security_group:get_all_all_projects",
        query={"all_projects": "true"},
        since=41,
        zun=OURS,
    ),
    Row(
        "GET",
        "/security_groups",
        200,
        gives=SECURITY_GROUPS,
        query={"all_projects": "true"},
        who=ADMIN,
        since=41,
        zun=OURS,
    ),
    *(
        Row(
            method,
            f"/security_groups/{NONE}",
            404,
            code=_UNKNOWN,
            who=who,
            since=41,
            otherwise=NOT_IN_THIS_VERSION,
            zun=OURS,
        )
        for method in ("GET", "DELETE")
        for who in ("member", STRANGER)
    ),
    # Of a container.
    *(
        Row(
            "POST",
            f"/containers/{{running}}/{verb}_security_group",
            400,
            names="name",
            until=14,
            label="without a name",
            zun=MISSING,
        )
        for verb in ("add", "remove")
    ),
    *(
        Row(
            "POST",
            f"/containers/{{running}}/{verb}_security_group",
            406,
            query={"name": "default"},
            since=15,
            until=40,
        )
        for verb in ("add", "remove")
    ),
    *(
        Row(
            "POST",
            f"/containers/{{running}}/{verb}_security_group",
            400,
            names="name",
            since=41,
            zun=OURS,
            label="without a name",
        )
        for verb in ("add", "remove")
    ),
    *(
        Row(
            "POST",
            f"/containers/{NONE}/{verb}_security_group",
            404,
            code="container.container-not-found",
            query={"name": "default"},
            until=14,
        )
        for verb in ("add", "remove")
    ),
)
