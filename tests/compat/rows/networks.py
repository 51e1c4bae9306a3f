"""Networks, and a container on them. What changes something is in test_conversations.py: each row here is as true the second time."""

from dataclasses import replace

from tests.compat.differences import MISSING, NO_REGISTER, NO_SIXES, OURS
from tests.compat.ground import NONE
from tests.compat.shapes import NETWORK, NETWORKS, NETWORKS_OF, REGISTERED
from tests.compat.table import (
    ADMIN,
    FORBIDDEN,
    INVALID,
    NEWEST,
    NO_CONTAINER,
    NOT_IN_THIS_VERSION,
    STRANGER,
    ZUNS,
    Parameter,
    Row,
)

_ATTACH, _DETACH, _LIST = (f"/containers/{{created}}/network_{verb}" for verb in ("attach", "detach", "list"))
_UNKNOWN = "container.network-not-found"
LIST = Row("GET", "/networks", 200, gives=NETWORKS, since=NEWEST, zun=OURS)
CREATE = Row(
    "POST", "/networks", 409, names="overlaps", body={"name": "back", "subnet": "{subnet}"}, since=NEWEST, zun=OURS
)
REGISTER = Row(
    *("POST", "/networks", 200),
    gives=REGISTERED,
    body={"name": "whatever", "neutron_net_id": "{network}"},
    shows={"uuid": "{network}", "name": "{network}", "neutron_net_id": "{network}"},
    who=ADMIN,
    until=ZUNS,
    zun=NO_REGISTER,
)

ROWS: tuple[Row | Parameter, ...] = (
    # A container joins: what it is on already, what there is not, what nobody understands.
    Row(
        *("POST", _ATTACH, 400),
        names="already attached",
        query={"network": "{network}"},
        since=8,
        otherwise=NOT_IN_THIS_VERSION,
        every=True,
    ),
    Row("POST", _ATTACH, 400, names="already attached", body={"network": "{network}"}, since=8),
    Row("POST", _ATTACH, 400, names="already attached", since=8, label="the one that it has by itself"),
    Row("POST", _ATTACH, 404, code=_UNKNOWN, names="nobodys", query={"network": "nobodys"}, since=8),
    Row("POST", _ATTACH, 404, code="container.port-not-found", query={"port": NONE}, since=8),
    *(
        Row("POST", _ATTACH, 400, code=INVALID, names=name, query=query, since=8)
        for name, query in (
            ("network", {"network": ""}),
            ("network", {"network": "x" * 256}),
            ("port", {"port": ""}),
            ("port", {"network": "{network}", "port": NONE}),
            ("fixed_ip", {"network": "{network}", "fixed_ip": "10.0.0"}),
            ("fixed_ip", {"network": "{network}", "fixed_ip": "somewhere"}),
            ("colour", {"network": "{network}", "colour": "red"}),
        )
    ),
    Row(
        "POST",
        _ATTACH,
        400,
        names="fixed_ip",
        query={"network": "{network}", "fixed_ip": "fd00::7"},
        since=8,
        zun=NO_SIXES,
    ),
    Row("POST", f"/containers/{NONE}/network_attach", 404, code=NO_CONTAINER, query={"network": "{network}"}, since=8),
    Row("POST", _ATTACH, 404, code=NO_CONTAINER, query={"network": "{network}"}, since=8, who=STRANGER),
    # It leaves.
    Row(
        *("POST", _DETACH, 404),
        code=_UNKNOWN,
        names="nobodys",
        query={"network": "nobodys"},
        since=6,
        otherwise=NOT_IN_THIS_VERSION,
        every=True,
    ),
    Row("POST", _DETACH, 404, query={"port": NONE}, since=6),
    *(
        Row("POST", _DETACH, 400, code=INVALID, names=name, query=query, since=6)
        for name, query in (
            ("network", {}),
            ("network", {"network": ""}),
            ("port", {"port": ""}),
            ("network", {"network": "{network}", "port": NONE}),
            ("colour", {"network": "{network}", "colour": "red"}),
        )
    ),
    Row("POST", f"/containers/{NONE}/network_detach", 404, code=NO_CONTAINER, query={"network": "{network}"}, since=6),
    Row("POST", _DETACH, 404, code=NO_CONTAINER, query={"network": "{network}"}, since=6, who=STRANGER),
    # What it is on.
    Row("GET", _LIST, 200, gives=NETWORKS_OF, since=13, otherwise=NOT_IN_THIS_VERSION, every=True),
    Row("GET", _LIST, 404, code=NO_CONTAINER, since=13, who=STRANGER),
    Row("GET", f"/containers/{NONE}/network_list", 404, code=NO_CONTAINER, since=13),
    # Networks themselves, in Zun's versions: made known by administrators, and forgotten.
    replace(REGISTER, every=True, label="every field"),
    Parameter(of=REGISTER, name="name", good=[None], bad=["", "a", "x" * 256, 5, []]),
    Parameter(of=REGISTER, name="neutron_net_id", bad=["", "a", "x" * 256, 5, []]),
    Parameter(of=REGISTER, name="subnet", bad=["10.20.0.0/24"], code=INVALID),
    Parameter(of=REGISTER, name="shared", bad=[True], code=INVALID),
    Row("POST", "/networks", 400, names="name", body={"neutron_net_id": NONE}, who=ADMIN, until=ZUNS),
    Row("POST", "/networks", 400, names="neutron_net_id", body={"name": "back"}, who=ADMIN, until=ZUNS, zun=MISSING),
    Row(
        "POST",
        "/networks",
        404,
        code=_UNKNOWN,
        body={"name": "back", "neutron_net_id": NONE},
        who=ADMIN,
        until=ZUNS,
        zun=NO_REGISTER,
    ),
    Row(
        *("POST", "/networks", 403),
        code=FORBIDDEN,
        names="network:create",
        body={"name": "back", "neutron_net_id": "{network}"},
        until=ZUNS,
    ),
    Row(
        "DELETE",
        f"/networks/{NONE}",
        404,
        code=_UNKNOWN,
        who=ADMIN,
        since=27,
        otherwise=NOT_IN_THIS_VERSION,
        every=True,
    ),
    Row("DELETE", "/networks/{network}", 204, who=ADMIN, since=27, until=ZUNS, zun=NO_REGISTER),
    Row("DELETE", "/networks/{network}", 403, code=FORBIDDEN, names="network:delete", since=27, until=ZUNS),
    # And from 1.41 on: made, looked at and deleted by whose they are.
    Row(
        "GET",
        "/networks",
        200,
        gives=NETWORKS,
        since=NEWEST,
        otherwise=NOT_IN_THIS_VERSION,
        zun=OURS,
        every=True,
        label="by page",
    ),
    *(Parameter(of=LIST, name=name, good=["anything"]) for name in ("name", "project_id")),
    Parameter(of=LIST, name="limit", good=["1"], bad=["0", "-1", "one"], code=None),
    Parameter(of=LIST, name="sort_key", good=["id", "uuid", "name", "project_id", "subnet", "created_at"]),
    Parameter(of=LIST, name="sort_key", bad=["colour"], code="container.invalid-parameter-value"),
    Parameter(of=LIST, name="sort_dir", good=["asc", "desc"]),
    Parameter(of=LIST, name="sort_dir", bad=["up"], code=None),
    Row("GET", "/networks", 404, query={"marker": NONE}, since=NEWEST, zun=OURS),
    Row("GET", "/networks", 400, names="colour", query={"colour": "red"}, since=NEWEST, zun=OURS),
    Row(
        *("GET", "/networks", 403),
        code=FORBIDDEN,
        names="network:get_all_all_projects",
        query={"all_projects": "true"},
        since=NEWEST,
        zun=OURS,
    ),
    Row("GET", "/networks", 200, gives=NETWORKS, query={"all_projects": "true"}, who=ADMIN, since=NEWEST, zun=OURS),
    Row(
        *("GET", "/networks/{network}", 200),
        gives=NETWORK,
        shows={"uuid": "{network}"},
        since=NEWEST,
        otherwise=NOT_IN_THIS_VERSION,
        zun=OURS,
    ),
    *(
        Row(method, f"/networks/{ref}", 404, code=_UNKNOWN, who=STRANGER, since=NEWEST, zun=OURS)
        for method in ("GET", "DELETE")
        for ref in ("{network}", NONE)
    ),
    Row("DELETE", "/networks/{network}", 409, since=NEWEST, zun=OURS, label="that somebody is on"),
    Row("POST", "/networks", 400, names="name", body={}, since=NEWEST, zun=OURS),
    Row("POST", "/networks", 400, names="name", body={"name": None}, since=NEWEST, zun=OURS),
    Row(
        *("POST", "/networks", 400),
        names="neutron_net_id",
        body={"name": "back", "neutron_net_id": NONE},
        since=NEWEST,
        zun=OURS,
    ),
    Parameter(of=CREATE, name="name", bad=["", "a", "-ab", "a b", "x" * 256, 5]),
    Parameter(of=CREATE, name="subnet", bad=[5, [], "x" * 65]),
    Parameter(of=CREATE, name="subnet", bad=["10.20.0.0", "10.20.0.1/24", "10.20.0.0/31", "fd00::/64", ""], code=None),
    Parameter(of=CREATE, name="shared", bad=["perhaps", 5]),
    Row(
        "POST", "/networks", 409, names="overlaps", body=CREATE.body, since=NEWEST, zun=OURS, label="on taken addresses"
    ),
    Row(
        *("POST", "/networks", 403),
        code=FORBIDDEN,
        names="network:create",
        body={"name": "back", "shared": True},
        since=NEWEST,
        zun=OURS,
    ),
    Row(
        "POST",
        "/networks",
        400,
        code=INVALID,
        names="colour",
        body={"name": "back", "colour": "red"},
        since=NEWEST,
        zun=OURS,
    ),
)
