"""The compatibility table leaves nothing out: whatever can be asked has its rows, at both sides of the version that brought it."""

from collections.abc import Mapping, Sequence

from higgins.api.zun import routes
from higgins.api.zun.microversion import MAX
from higgins.api.zun.routes import ROUTES, Found, Route
from tests.compat.rows import ROWS
from tests.compat.table import Row
from tests.house import sources

NO_VERSION: Mapping[str, str] = {
    "/": "test_the_root_tells_the_versions_to_everybody_in_no_version",
    "/healthcheck": "test_whether_it_answers_is_told_to_everybody",
    "/openapi.json": "test_the_openapi_document_is_served_without_a_token",
    "/console": "test_attach_connects_to_what_the_container_reads_and_prints",
}
"""What stands outside of all versions, and the tests that ask it."""


def _rows() -> Mapping[int, Sequence[Row]]:
    """By the routes that they ask, wherever these stand in memory."""
    found: dict[int, list[Row]] = {}
    for row in ROWS:
        match routes.find(row.method, f"/v1{row.path}"):
            case Found(route=route):
                found.setdefault(id(route), []).append(row)
    return found


_ROWS = _rows()


def _asking(route: Route, name: str | None = None) -> Sequence[Row]:
    """The rows of a route, or those of them that say something of a parameter."""
    rows = _ROWS.get(id(route), ())
    return [
        row for row in rows if name is None or name in row.query or (isinstance(row.body, dict) and name in row.body)
    ]


def _apart(rows: Sequence[Row], since: int) -> bool:
    """Whether what comes with a version is tried before it, too."""
    return any(row.until == since - 1 or (row.since == since and row.otherwise is not None) for row in rows)


def test_every_route_is_asked_and_every_parameter_is_given():
    named = {
        f"{route.method} {route.path} {name or ''}"
        for route in ROUTES
        for name in (None, *route.form.names)
        if not _asking(route, name) and route.path not in NO_VERSION
    }
    assert named == set()
    tests = "".join(path.read_text() for path in sources.python("tests"))
    assert not [name for name in NO_VERSION.values() if f"def {name}(" not in tests]


def test_every_route_and_parameter_is_tried_at_both_sides_of_the_version_that_brought_it():
    untried = []
    for route in ROUTES:
        since = {gate.field: gate.since for gate in route.form.gates} | dict(route.form.since)
        steps = [(None, route.min), *since.items()]
        untried += [
            f"{route.method} {route.path} {name or ''} from {version} on"
            for name, version in steps
            if version.minor > 1 and not _apart(_asking(route, name), version.minor)
        ]
        if route.max < MAX and not any(row.status == 406 or row.otherwise for row in _asking(route)):
            untried.append(f"{route.method} {route.path} after {route.max}")
    assert untried == []
