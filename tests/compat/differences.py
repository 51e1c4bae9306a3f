"""Where upstream Zun answers otherwise than the rows say: the sentence that docs/zun-differences.md has for it, and what upstream does instead."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Zun:
    """How upstream differs."""

    sentence: str
    """The first column of that page."""
    status: int | None = None
    """What upstream answers; None: nothing that could be relied on, so that the row is left out there."""


QUOTA_DEFAULTS = Zun("`GET /v1/quotas/defaults`, as documented, is a 500", 500)
QUOTA_TYPES = Zun("A PUT of a quota with a wrong type is a 500", 500)
RANGE = Zun("A microversion outside of the range is a 500 without a body", 500)
CONTENT_TYPE = Zun("Any content type but JSON on a create is a 500", 500)
NO_JSON = Zun("A body that is no JSON counts as none")
NULL = Zun("`null` for cpu, memory, disk, nets, mounts is a 500", 500)
NO_NULL = Zun("`null` where a schema has none (hostname, cpu_policy, interactive, tty, auto_heal) is a 400", 400)
LABELS = Zun("A label that is an object is a 500", 500)
MISSING = Zun("A parameter that is missing (execute without command, archives without path, ...) is a 500", 500)
NULL_UPDATE = Zun('`PATCH {"name": null}` renames to "None", `{"memory": null}` is a 500')
UNPRIVILEGED = Zun("`privileged: false` is refused like `privileged: true`", 403)
ANY_DOMAIN = Zun("A registry's domain is not looked at", 201)
UNCHECKED_HEALTH = Zun('A health check is not looked at: `"30s"` makes a host hang for good')
COLUMNS = Zun("Lists can be sorted by any column, tokens included")
FORCE_STOP = Zun("`force` with `stop` needs no right to force")
STRANGERS = Zun("Whoever knows the id reads the actions of a stranger's container")
HEAD = Zun("HEAD is a 405", 405)
SUFFIX = Zun("`web.txt` cannot be reached by its name", 404)
NO_PATH = Zun("get_archive of a path that is not there is a 500", 500)
OURS = Zun("What is new, from 1.41 on, is in [api.md](api.md)")
NO_REGISTER = Zun(
    "`POST /v1/networks` makes a network of Neutron known to any host, and `DELETE` has any host forget it"
)
NO_SIXES = Zun("Networks may have IPv6")
NO_PORTS = Zun("A port can be made before, and its container be made with it")
NO_GROUP = Zun("Every project has a security group `default`, and what has none gets it")
VOLUMES = Zun("A volume is Cinder's")
BAD_TEMPLATE = Zun("What is wrong with a capsule's template is a 500, or 40 kB of a report")
TEXTS_IN_TEMPLATE = Zun("Numbers as strings in a template are a 500", 500)
YAML = Zun("A template as text is JSON only; YAML is a 500", 500)
CONTAINER_LABELS = Zun("A container's `labels` in a template are refused, though the sample has them", 400)
TOP_POLICY = Zun("`restartPolicy` at the top of a template is overlooked")
HOST_PORT = Zun("`hostPort` in a template is overlooked")
NO_CAPSULE = Zun("A capsule that is not there is a container that is not there")
ALL_CAPSULES = Zun("`all_projects` of a list of capsules is overlooked where it is not allowed", 200)
BAD_VOLUMES = Zun(
    "A capsule's volume with both an id and a size, or neither, is a 500, and so is a mount of a strange type"
)
DIFFERENCES = tuple(value for value in dict(globals()).values() if isinstance(value, Zun))
