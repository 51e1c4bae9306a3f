"""Images on hosts."""

from tests.compat.ground import NONE
from tests.compat.shapes import IMAGE, IMAGES
from tests.compat.table import ADMIN, FORBIDDEN, NEWEST, Parameter, Refused, Row

# Of a registry that is not there: nothing is fetched, and what was asked for is forgotten again.
_REPO = "127.0.0.1:1/{mark}/no-such-image"
PULL = Row("POST", "/images", 202, gives=IMAGE, body={"repo": _REPO, "host": "{host}"}, who=ADMIN)
LIST = Row("GET", "/images", 200, gives=IMAGES, who=ADMIN)
_UNKNOWN = "container.image-not-found"

ROWS: tuple[Row | Parameter, ...] = (
    Row(
        "POST",
        "/images",
        202,
        gives=IMAGE,
        body={"repo": f"{_REPO}:1", "host": "{host}"},
        shows={"tag": "1", "repo": _REPO, "image_id": None, "size": None},
        who=ADMIN,
        every=True,
    ),
    Row("POST", "/images", 202, gives=IMAGE, body={"repo": f"{_REPO}:2", "host": "{host_id}"}, who=ADMIN),
    Parameter(of=PULL, name="repo", bad=["", "a", None, 5, "x" * 256]),
    Parameter(of=PULL, name="host", bad=["", "a", 5, "x" * 256]),
    Parameter(of=PULL, name="size", good=["10m"], bad=["large", 5]),
    Parameter(of=PULL, name="image_pull_policy", good=["never"], bad=["sometimes"]),
    Parameter(of=PULL, name="image_id", good=["sha256:1"], bad=[5, []]),
    Parameter(of=PULL, name="tag", good=["other"]),
    Row("POST", "/images", 400, names="'repo' is a required property", body={"host": "{host}"}, who=ADMIN),
    Row(
        "POST",
        "/images",
        202,
        gives=IMAGE,
        body={"repo": f"{_REPO}:3"},
        who=ADMIN,
        since=NEWEST,
        otherwise=Refused(names="'host' is a required property"),
    ),
    Row(
        "POST",
        "/images",
        400,
        names="The host no-such-host does not exist.",
        body={"repo": _REPO, "host": "no-such-host"},
        who=ADMIN,
    ),
    Row("POST", "/images", 400, names="colour", body={"repo": _REPO, "host": "{host}", "colour": "red"}, who=ADMIN),
    Row("GET", "/images", 200, gives=IMAGES, who=ADMIN, every=True),
    Parameter(of=LIST, name="limit", good=["1"]),
    Parameter(of=LIST, name="limit", bad=["0", "one"], code=None),
    Parameter(of=LIST, name="colour", good=["red"]),
    Parameter(of=LIST, name="sort_key", good=["id", "uuid", "repo", "tag"]),
    Parameter(of=LIST, name="sort_key", bad=["colour"], code="container.invalid-parameter-value"),
    Parameter(of=LIST, name="sort_dir", good=["asc", "desc"]),
    Parameter(of=LIST, name="sort_dir", bad=["up"], code=None),
    Row("GET", "/images", 404, query={"marker": NONE}, who=ADMIN),
    *(Row(method, f"/images/{NONE}", 400, code=_UNKNOWN, who=ADMIN) for method in ("GET", "DELETE")),
    Row("GET", "/images/busybox/search", 400, names="exact_match", query={"exact_match": "maybe"}),
    Row("GET", "/images/busybox/search", 400, names="image_driver", query={"image_driver": "ftp"}),
    Row("GET", "/images/busybox/search", 400, names="colour", query={"colour": "red"}),
    # Only administrators know of images, everybody may search.
    Row("POST", "/images", 403, code=FORBIDDEN, names="image:pull", body={"repo": "busybox", "host": "some"}),
    Row("GET", "/images", 403, code=FORBIDDEN, names="image:get_all"),
    Row("GET", f"/images/{NONE}", 403, code=FORBIDDEN, names="image:get_one"),
    Row("DELETE", f"/images/{NONE}", 403, code=FORBIDDEN, names="image:delete"),
)
