"""Quotas and quota classes."""

from tests.compat.differences import QUOTA_DEFAULTS, QUOTA_TYPES
from tests.compat.shapes import LIMITS, NOTHING, QUOTA
from tests.compat.table import ADMIN, FORBIDDEN, Parameter, Row

# A project and a class that nobody has: what is set there concerns nobody.
_PROJECT, _CLASS = "/quotas/{mark}", "/quota_classes/{mark}"
PUT = Row("PUT", _PROJECT, 200, gives=LIMITS, body={}, who=ADMIN)
PUT_CLASS = Row("PUT", _CLASS, 200, gives=LIMITS, body={}, who=ADMIN)
_GOOD = ((7, 7), ("8", 8), (0, 0), (-1, -1), ("-1", -1))
_BAD = (-2, "-2", "many", "1.5", "")

ROWS: tuple[Row | Parameter, ...] = (
    Row("GET", "/quotas/{project}", 200, gives=LIMITS, every=True),
    *(Row("GET", "/quotas/{project}", 200, gives=QUOTA, query={"usages": value}) for value in ("True", "False", "1")),
    Row("GET", "/quotas/{project}", 200, gives=LIMITS, query={"usages": ""}),
    Row("GET", "/quotas/{project}", 200, gives=LIMITS, who=ADMIN),
    Row("GET", "/quotas/{project}/defaults", 200, gives=LIMITS),
    Row("GET", "/quotas/defaults", 200, gives=LIMITS, zun=QUOTA_DEFAULTS),
    Row("GET", "/quotas/{mark}", 403, code=FORBIDDEN, names="quota:get"),
    Row("GET", "/quotas/{mark}/defaults", 403, code=FORBIDDEN, names="quota:get_default"),
    *(Row("GET", path, 404) for path in ("/quotas", "/quota_classes")),
    *(Parameter(of=PUT, name=name, shown=_GOOD, bad=_BAD) for name in ("containers", "memory", "disk", "cpu")),
    Parameter(of=PUT, name="containers", bad=[[], {}], zun=QUOTA_TYPES),
    Row("PUT", _PROJECT, 200, gives=LIMITS, who=ADMIN, label="with nothing"),
    Row("PUT", _PROJECT, 200, gives=LIMITS, query={"containers": "9"}, shows={"containers": 9}, who=ADMIN),
    Row("PUT", "/quotas/{project}", 403, code=FORBIDDEN, names="quota:update", body={"containers": 1}),
    Row("DELETE", "/quotas/{project}", 403, code=FORBIDDEN, names="quota:delete"),
    Row("DELETE", _PROJECT, 200, gives=NOTHING, who=ADMIN),
    Row("GET", _CLASS, 200, gives=LIMITS, who=ADMIN),
    Row("GET", "/quota_classes/default", 200, gives=LIMITS, who=ADMIN, every=True),
    Row("GET", "/quota_classes/default", 403, code=FORBIDDEN, names="quota_class:get"),
    *(
        Parameter(of=PUT_CLASS, name=name, shown=_GOOD[:2], bad=_BAD[:3])
        for name in ("containers", "memory", "disk", "cpu")
    ),
    Row("PUT", "/quota_classes/default", 403, code=FORBIDDEN, names="quota_class:update", body={"containers": 1}),
)
