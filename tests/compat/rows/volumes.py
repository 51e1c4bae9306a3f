"""Volumes, of which Zun knows nothing: its own are Cinder's."""

from tests.compat.differences import OURS
from tests.compat.ground import NONE
from tests.compat.shapes import VOLUME, VOLUMES
from tests.compat.table import ADMIN, FORBIDDEN, NEWEST, NOT_IN_THIS_VERSION, STRANGER, Parameter, Row

CREATE = Row(
    "POST", "/volumes", 201, gives=VOLUME, body={"name": "{mark}-volume"}, since=NEWEST, otherwise=NOT_IN_THIS_VERSION
)
LIST = Row("GET", "/volumes", 200, gives=VOLUMES, since=NEWEST, otherwise=NOT_IN_THIS_VERSION)
_UNKNOWN = "container.volume-not-found"

ROWS: tuple[Row | Parameter, ...] = (
    CREATE,
    Parameter(of=CREATE, name="size", shown=[(1, 1), ("2", 2), (None, None)], zun=OURS),
    Parameter(of=CREATE, name="size", bad=[0, -1, "1G", 1.5, 20000, []], zun=OURS),
    Parameter(of=CREATE, name="name", bad=["a", "-ab", "a b", "x" * 256, 5, None], zun=OURS),
    Row("POST", "/volumes", 400, names="name", body={}, since=NEWEST),
    Row("POST", "/volumes", 400, names="driver", body={"name": "{mark}-volume", "driver": "nfs"}, since=NEWEST),
    LIST,
    *(Parameter(of=LIST, name=name, good=["anything"], zun=OURS) for name in ("name", "project_id", "user_id")),
    Parameter(of=LIST, name="limit", good=["1"], zun=OURS),
    Parameter(of=LIST, name="sort_dir", good=["asc", "desc"], zun=OURS),
    Parameter(of=LIST, name="sort_dir", bad=["up"], code=None, zun=OURS),
    Parameter(of=LIST, name="sort_key", good=["id", "name", "size", "uuid"], zun=OURS),
    Parameter(of=LIST, name="sort_key", bad=["colour"], code="container.invalid-parameter-value", zun=OURS),
    Row("GET", "/volumes", 404, query={"marker": NONE}, since=NEWEST),
    Row(
        *("GET", "/volumes", 403),
        code=FORBIDDEN,
        names="volume:get_all_all_projects",
        query={"all_projects": "true"},
        since=NEWEST,
    ),
    Row("GET", "/volumes", 200, gives=VOLUMES, query={"all_projects": "true"}, who=ADMIN, since=NEWEST),
    *(
        Row(method, f"/volumes/{NONE}", 404, code=_UNKNOWN, who=who, since=NEWEST, otherwise=NOT_IN_THIS_VERSION)
        for method in ("GET", "DELETE")
        for who in ("member", STRANGER)
    ),
)
