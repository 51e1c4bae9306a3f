"""Registries."""

from tests.compat.differences import ANY_DOMAIN, COLUMNS
from tests.compat.ground import NONE
from tests.compat.shapes import REGISTRIES, REGISTRY
from tests.compat.table import ADMIN, FORBIDDEN, STRANGER, Parameter, Row

CREATE = Row("POST", "/registries", 201, gives=REGISTRY, body={"registry": {"domain": "registry.invalid"}})
LIST = Row("GET", "/registries", 200, gives=REGISTRIES)
PATCH = Row("PATCH", "/registries/{registry}", 200, gives=REGISTRY, body={"registry": {}})
_UNKNOWN = "container.registry-not-found"

ROWS: tuple[Row | Parameter, ...] = (
    Row("POST", "/registries", 201, gives=REGISTRY, body={"registry": {"domain": "registry.invalid"}}, every=True),
    Parameter(of=CREATE, inside="registry", name="domain", good=["registry.invalid:5000"], bad=["", 5, None]),
    Parameter(
        of=CREATE, inside="registry", name="domain", bad=["registry", "https://registry.invalid", "a b"], zun=ANY_DOMAIN
    ),
    Parameter(of=CREATE, inside="registry", name="name", good=["ab", "a.b_c-D"], bad=["a", "-ab", "a b", "x" * 256, 5]),
    Parameter(of=CREATE, inside="registry", name="username", good=["martha"], bad=[5, []]),
    Parameter(of=CREATE, inside="registry", name="password", good=["secret"], bad=[5, []]),
    Row("POST", "/registries", 400, names="domain", body={"registry": {}}),
    Row("POST", "/registries", 400, names="registry", body={}),
    Row("POST", "/registries", 400, names="colour", body={"registry": {"domain": "registry.invalid", "colour": "red"}}),
    Row("POST", "/registries", 400, names="colour", body={"registry": {"domain": "registry.invalid"}, "colour": "red"}),
    # Lists.
    Row("GET", "/registries", 200, gives=REGISTRIES, every=True),
    *(
        Parameter(of=LIST, name=name, good=["anything"])
        for name in ("name", "domain", "username", "project_id", "user_id", "expand", "resource_url")
    ),
    Parameter(of=LIST, name="limit", good=["1"]),
    Parameter(of=LIST, name="limit", bad=["0", "-1", "one"], code=None),
    Parameter(of=LIST, name="sort_key", good=["id", "name", "domain", "uuid"]),
    Parameter(of=LIST, name="sort_key", bad=["colour"], code="container.invalid-parameter-value"),
    Parameter(of=LIST, name="sort_key", bad=["password"], code="container.invalid-parameter-value", zun=COLUMNS),
    Parameter(of=LIST, name="sort_dir", good=["asc", "desc"]),
    Parameter(of=LIST, name="sort_dir", bad=["up"], code=None),
    Row("GET", "/registries", 404, query={"marker": NONE}),
    Row("GET", "/registries", 400, names="colour", query={"colour": "red"}),
    Row(
        "GET", "/registries", 403, code=FORBIDDEN, names="registry:get_all_all_projects", query={"all_projects": "true"}
    ),
    Row("GET", "/registries", 200, gives=REGISTRIES, query={"all_projects": "true"}, who=ADMIN),
    # One.
    Row("GET", "/registries/{registry}", 200, gives=REGISTRY, every=True),
    Row("GET", "/registries/{mark}-registry", 200, gives=REGISTRY),
    Row("GET", "/registries/{registry}", 404, code=_UNKNOWN, who=STRANGER),
    *(Row(method, f"/registries/{NONE}", 404, code=_UNKNOWN) for method in ("GET", "DELETE")),
    Row("PATCH", f"/registries/{NONE}", 404, code=_UNKNOWN, body={"registry": {"username": "martha"}}),
    Parameter(of=PATCH, inside="registry", name="username", good=["martha"], bad=[5, None]),
    Parameter(of=PATCH, inside="registry", name="password", good=["secret"], bad=[5, None]),
    Parameter(of=PATCH, inside="registry", name="domain", good=["registry.invalid"], bad=["", 5, None]),
    Parameter(of=PATCH, inside="registry", name="name", good=["{mark}-registry"], bad=["a", "-ab", 5, None]),
    Row("PATCH", "/registries/{registry}", 400, names="colour", body={"registry": {"colour": "red"}}),
)
