"""Hosts, the services on them, and availability zones; and what we tell of the hosts and of what happens."""

from tests.compat.differences import MISSING
from tests.compat.ground import NONE
from tests.compat.shapes import CAPABILITIES, ENABLED, EVENTS, FORCED, HOST, HOSTS, SERVICES, ZONES
from tests.compat.table import ADMIN, FORBIDDEN, NEWEST, NOT_IN_THIS_VERSION, Parameter, Row

LIST = Row("GET", "/hosts", 200, gives=HOSTS, who=ADMIN, since=4)
ZONE_LIST = Row("GET", "/availability_zones", 200, gives=ZONES)
_SERVICE = {"host": "{host}", "binary": "zun-compute"}
_UNKNOWN = "container.zun-service-not-found"
_NOBODYS = {"host": "no-such-host", "binary": "zun-compute"}

_HOSTS: tuple[Row | Parameter, ...] = (
    Row("GET", "/hosts", 200, gives=HOSTS, who=ADMIN, since=4, otherwise=NOT_IN_THIS_VERSION),
    Row(
        "GET",
        "/hosts/{host}",
        200,
        gives=HOST,
        who=ADMIN,
        since=4,
        otherwise=NOT_IN_THIS_VERSION,
        shows={"hostname": "{host}"},
    ),
    Row("GET", "/hosts/{host_id}", 200, gives=HOST, who=ADMIN, since=4, shows={"uuid": "{host_id}"}),
    Row("GET", "/hosts/no-such-host", 404, code="container.compute-node-not-found", who=ADMIN, since=4),
    Parameter(of=LIST, name="limit", good=["1"]),
    Row("GET", "/hosts", 404, query={"marker": NONE}, who=ADMIN, since=4),
    Parameter(of=LIST, name="limit", bad=["0", "one"], code=None),
    Parameter(of=LIST, name="sort_key", good=["hostname", "uuid", "mem_total"]),
    Parameter(of=LIST, name="sort_key", bad=["colour"], code="container.invalid-parameter-value"),
    Parameter(of=LIST, name="sort_dir", good=["asc", "desc"]),
    Parameter(of=LIST, name="sort_dir", bad=["up"], code=None),
    Parameter(of=LIST, name="colour", good=["red"]),
    Row("GET", "/hosts", 403, code=FORBIDDEN, names="host:get_all", since=4),
    Row("GET", "/hosts/any", 403, code=FORBIDDEN, names="host:get", since=4),
)

_SERVICES: tuple[Row | Parameter, ...] = (
    Row("GET", "/services", 200, gives=SERVICES, who=ADMIN, every=True),
    Row("GET", "/services", 200, gives=SERVICES, who=ADMIN, query={"limit": "none", "colour": "red"}),
    Row("GET", "/services", 403, code=FORBIDDEN, names="zun-service:get_all"),
    *(
        Row("PUT", f"/services/{verb}", 200, gives=gives, who=ADMIN, query={**_SERVICE, **more}, harsh=True)
        for verb, gives, more in (
            ("disable", ENABLED, {}),
            ("disable", ENABLED, {"disabled_reason": "new disks"}),
            ("enable", ENABLED, {}),
            ("force_down", FORCED, {"forced_down": "False"}),
        )
    ),
    Row(
        "PUT",
        "/services/enable",
        200,
        gives=ENABLED,
        who=ADMIN,
        body=_SERVICE,
        shows={"service": {**_SERVICE, "disabled": False, "disabled_reason": None}},
        harsh=True,
    ),
    *(
        row
        for verb, more in (("enable", {}), ("disable", {}), ("force_down", {"forced_down": "True"}))
        for row in (
            Row(
                "PUT",
                f"/services/{verb}",
                404,
                code=_UNKNOWN,
                names="Zun service zun-compute on host no-such-host could not be found.",
                who=ADMIN,
                query={**_NOBODYS, **more},
            ),
            Row(
                "PUT",
                f"/services/{verb}",
                400,
                names="host",
                who=ADMIN,
                query={"binary": "zun-compute", **more},
                zun=MISSING,
            ),
            Row(
                "PUT",
                f"/services/{verb}",
                400,
                names="binary",
                who=ADMIN,
                query={"host": "no-such-host", **more},
                zun=MISSING,
            ),
            Row(
                "PUT", f"/services/{verb}", 400, names="colour", who=ADMIN, query={**_NOBODYS, **more, "colour": "red"}
            ),
            Row("PUT", f"/services/{verb}", 400, names="host", who=ADMIN, query={**_NOBODYS, **more, "host": "a b"}),
            Row(
                "PUT", f"/services/{verb}", 403, code=FORBIDDEN, names=f"zun-service:{verb}", query={**_NOBODYS, **more}
            ),
        )
    ),
    Row(
        "PUT",
        "/services/disable",
        400,
        names="disabled_reason",
        who=ADMIN,
        query={**_NOBODYS, "disabled_reason": "x" * 256},
    ),
    *(
        Row("PUT", "/services/force_down", 400, names="forced_down", who=ADMIN, query={**_NOBODYS, "forced_down": bad})
        for bad in ("yes", "1", "maybe")
    ),
    Row("DELETE", "/services", 404, code=_UNKNOWN, who=ADMIN, query=_NOBODYS),
    Row("DELETE", "/services/no-such-host", 404, code=_UNKNOWN, who=ADMIN, query={"binary": "zun-compute"}),
    Row("DELETE", "/services/no-such-host", 404, code=_UNKNOWN, who=ADMIN, query=_NOBODYS),
    Row("DELETE", "/services", 400, names="host", who=ADMIN, query={"binary": "zun-compute"}, zun=MISSING),
    Row("DELETE", "/services", 400, names="binary", who=ADMIN, query={"host": "no-such-host"}, zun=MISSING),
    Row("DELETE", "/services", 403, code=FORBIDDEN, names="zun-service:delete", query=_NOBODYS),
)

_ZONES: tuple[Row | Parameter, ...] = (
    Row("GET", "/availability_zones", 200, gives=ZONES, every=True),
    Parameter(of=ZONE_LIST, name="sort_dir", good=["asc", "desc"]),
    Parameter(of=ZONE_LIST, name="colour", good=["red"]),
    Parameter(of=ZONE_LIST, name="sort_key", good=["availability_zone"]),
    Parameter(of=ZONE_LIST, name="sort_key", bad=["colour"], code="container.invalid-parameter-value"),
    Row("GET", "/availability_zones", 404, query={"marker": "no-such-zone"}),
    Parameter(of=ZONE_LIST, name="limit", bad=["0", "one"], code=None),
)

# From 1.41 on, of which Zun knows nothing.
_OURS: tuple[Row | Parameter, ...] = (
    Row("GET", "/capabilities", 200, gives=CAPABILITIES, since=NEWEST, otherwise=NOT_IN_THIS_VERSION),
    Row(
        "GET",
        "/events",
        200,
        gives=EVENTS,
        query={"since": "0", "limit": "5"},
        since=NEWEST,
        otherwise=NOT_IN_THIS_VERSION,
    ),
    *(
        Row("GET", "/events", 400, names=name, query={name: bad}, since=NEWEST)
        for name, bad in (("since", "-1"), ("limit", "0"), ("kind", "dance"))
    ),
    *(
        Row("GET", "/events", 200, gives=EVENTS, query={"since": "0", name: one}, since=NEWEST)
        for name, one in (("container", "{created}"), ("container", NONE), ("kind", "status"), ("status", "Running"))
    ),
    Row(
        "GET",
        "/events",
        403,
        code=FORBIDDEN,
        names="event:get_all_all_projects",
        query={"all_projects": "true"},
        since=NEWEST,
    ),
)

ROWS: tuple[Row | Parameter, ...] = (*_HOSTS, *_SERVICES, *_ZONES, *_OURS)
