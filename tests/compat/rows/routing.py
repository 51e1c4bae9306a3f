"""Discovery, the negotiation of versions, and how a path finds its resource."""

from tests.compat.differences import HEAD, RANGE, SUFFIX
from tests.compat.ground import NONE
from tests.compat.shapes import CONTAINER, CONTAINERS, VERSION_1
from tests.compat.table import ADMIN, MEMBER, NO_CONTAINER, NOBODY, Parameter, Row

_HEADER = "OpenStack-API-Version"


def _negotiated(value: str, status: int, names: str | None = None, **more: object) -> Row:
    return Row("GET", "/containers", status, headers={_HEADER: value}, names=names, label=f"in {value!r}", **more)  # type: ignore[arg-type]


# Everything that a token is needed for: method, path.
_EVERYTHING = (
    ("GET", "/containers"),
    ("POST", "/containers"),
    *((method, f"/containers/{NONE}") for method in ("GET", "PATCH", "DELETE")),
    *(
        ("POST", f"/containers/{NONE}/{verb}")
        for verb in (
            *("start", "stop", "reboot", "pause", "unpause", "kill", "rebuild", "execute", "execute_resize"),
            *("resize", "put_archive", "commit", "resize_container", "rename"),
        )
    ),
    *(
        ("GET", f"/containers/{NONE}/{verb}")
        for verb in ("logs", "attach", "top", "stats", "get_archive", "container_actions", "container_actions/req-1")
    ),
    *(
        ("GET", path)
        for path in ("/images", f"/images/{NONE}", "/images/busybox/search", "/registries", f"/registries/{NONE}")
    ),
    *(("POST", path) for path in ("/images", "/registries")),
    *(("DELETE", path) for path in (f"/images/{NONE}", f"/registries/{NONE}", "/services")),
    ("PATCH", f"/registries/{NONE}"),
    *(("GET", path) for path in ("/hosts", "/hosts/none", "/services", "/availability_zones")),
    *(("PUT", f"/services/{verb}") for verb in ("enable", "disable", "force_down")),
    ("GET", "/nothing"),
)

ROWS: tuple[Row | Parameter, ...] = (
    Row("GET", "", 200, who=NOBODY, gives=VERSION_1, every=True),
    Row("GET", "/", 200, who=NOBODY, gives=VERSION_1, shows={"id": "v1"}),
    # Without a token, or with one that nobody gave.
    *(Row(method, path, 401, who=NOBODY) for method, path in _EVERYTHING),
    Row("GET", "/containers", 401, headers={"X-Auth-Token": "nobody-gave-this"}, label="with a token that nobody gave"),
    # A version is two words.
    _negotiated("container latest", 200, since=41),
    _negotiated("container LATEST", 200, since=41),
    _negotiated("latest", 406, "Invalid service type"),
    _negotiated("1.5", 406, "Invalid service type"),
    _negotiated("", 406, "Invalid service type"),
    _negotiated("compute 1.5", 406, "Invalid service type"),
    _negotiated("Container 1.5", 406, "Invalid service type"),
    _negotiated("container 1.5 1.6", 406, "Invalid service type"),
    _negotiated("container", 406, "Invalid service type"),
    _negotiated("container one", 406, "Invalid value"),
    _negotiated("container 1.latest", 406, "Invalid value"),
    _negotiated("container 1", 406, "Invalid value"),
    _negotiated("container 1.0", 406, "Version 1.0 was requested but the minor version is not supported", zun=RANGE),
    _negotiated(
        "container 1.999", 406, "Version 1.999 was requested but the minor version is not supported", zun=RANGE
    ),
    _negotiated("container 2.0", 406, "Mutually exclusive versions requested", zun=RANGE),
    # Every answer says in which version it is, a refusal too.
    Row("GET", "/containers", 200, gives=CONTAINERS, every=True),
    Row("GET", "/containers", 400, names="Limit must be positive integer", query={"limit": "0"}, every=True),
    # One container, by many paths.
    *(
        Row("GET", path, 200, shows={"uuid": "{created}"})
        for path in (
            "/containers/{created}",
            "//containers///{created}",
            "/containers/{created}/",
            "/containers/{created}.json",
            "/containers/{mark}-created",
        )
    ),
    Row("GET", "/containers/{mark}-web.txt", 200, shows={"uuid": "{file}"}, zun=SUFFIX),
    Row("GET", "/containers//?limit=1", 200, gives=CONTAINERS),
    Row("GET", "/containers/.json", 404),
    Row("GET", f"/containers/{NONE}", 404, code=NO_CONTAINER),
    Row("GET", "/containers/0BB92283-1111-4222-8333-444455556666", 404, code=NO_CONTAINER),
    Row("GET", "/containers/0bb92283111142228333444455556666", 404, code=NO_CONTAINER),
    Row("GET", "/containers/{mark}-twin", 409, names="Multiple containers exist with same name"),
    # What there is not.
    *(
        Row(method, path, 404)
        for method, path in (("GET", "/nothing"), ("POST", "/nothing/at/all"), ("GET", "/v2/containers"))
    ),
    *(Row("GET", f"/containers/{{created}}/{verb}", 404) for verb in ("start", "stop", "kill", "execute", "dance")),
    *(Row("POST", f"/containers/{{created}}/{verb}", 404) for verb in ("logs", "top", "stats", "attach", "dance")),
    Row("PUT", "/containers/{created}", 405, body={}),
    Row("OPTIONS", "/containers/{created}", 405),
    Row("OPTIONS", "/containers", 405),
    Row("PUT", "/containers", 405, body={}),
    *(Row("HEAD", path, 200, zun=HEAD) for path in ("/containers", "/containers/{created}", "/availability_zones")),
    # What newer versions took away, and what older ones do not have yet, is a 406: see containers.py and hosts.py.
    *(
        Row("GET", "/containers/{created}", 200, gives=CONTAINER, every=True, who=who, label="every field")
        for who in (MEMBER, ADMIN)
    ),
)
