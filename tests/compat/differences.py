"""Where upstream Zun answers otherwise than the rows say: the sentence that docs/zun-differences.md has for it, and what upstream does instead."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Zun:
    """How upstream differs."""

    sentence: str
    """The first column of that page."""
    status: int | None = None
    """What upstream answers; None: nothing that could be relied on, so that the row is left out there."""


RANGE = Zun("A microversion outside of the range is a 500 without a body", 500)
CONTENT_TYPE = Zun("Any content type but JSON on a create is a 500", 500)
NO_JSON = Zun("A body that is no JSON counts as none")
NULL = Zun("`null` for cpu, memory, disk, nets, mounts is a 500", 500)
MISSING = Zun("A parameter that is missing (execute without command, archives without path, ...) is a 500", 500)
NULL_UPDATE = Zun('`PATCH {"name": null}` renames to "None", `{"memory": null}` is a 500')
UNCHECKED_NAME = Zun("An image's name is not looked at: a pull of a malformed one is a 500", 500)
UNPRIVILEGED = Zun("`privileged: false` is refused like `privileged: true`", 403)
ANY_DOMAIN = Zun("A registry's domain is not looked at", 201)
UNCHECKED_HEALTH = Zun('A health check is not looked at: `"30s"` makes a host hang for good')
COLUMNS = Zun("Lists can be sorted by any column, tokens included")
NEXT = Zun("`next` forgets filters and all_projects")
FULL_PAGE = Zun("A page that is just full has a `next` that leads to nothing")
ZONES = Zun("A page as long as there are zones is a 500")
FORCE_STOP = Zun("`force` with `stop` needs no right to force")
STRANGERS = Zun("Whoever knows the id reads the actions of a stranger's container")
HEAD = Zun("HEAD is a 405", 405)
SUFFIX = Zun("`web.txt` cannot be reached by its name", 404)
NO_PATH = Zun("get_archive of a path that is not there is a 500", 500)
STOP_DELETES = Zun("`delete?stop=true` is two messages, of which one may be lost")
CREATING = Zun("What is `Creating` can be deleted by admins only")
RESIZE_ID = Zun("execute_resize takes any command on the host")
OURS = Zun("What is new, from 1.41 on")
NOT_YET = Zun("Capsules, networks, volumes, security groups and quotas are not offered yet")
DIFFERENCES = tuple(value for value in dict(globals()).values() if isinstance(value, Zun))
