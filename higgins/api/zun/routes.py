"""Every route of the Containers API in one table, and how a path finds its route."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from higgins.api.zun import (
    capsules,
    console,
    discovery,
    dryrun,
    events,
    forms,
    hosts,
    images,
    live,
    networks,
    quotas,
    reach,
    registries,
    security_groups,
    verbs,
    views,
    volumes,
)
from higgins.api.zun.form import Form
from higgins.api.zun.microversion import MAX, MIN, OURS, Version
from higgins.api.zun.verbs import Answer, Ask, Door, Socket, Stream

Verb = Callable[[Door, Ask[Any]], Awaitable[Answer | Stream | Socket]]


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked."""

    method: str
    path: str
    verb: Verb
    form: Form[Any]
    ok: int
    gives: Any
    """What the answer's JSON is; None where there is nothing to say."""
    min: Version = MIN
    max: Version = MAX
    again: Version | None = None
    """From this version on it is there once more; None: never after `max`."""
    json_only: bool = False
    """A body of another content type is refused."""
    public: bool = False
    """Needs no token."""
    versioned: bool = True
    """Is answered in a microversion."""
    deep: bool = False
    """The name in its path may have slashes in it: some clients do not encode them."""
    raw: str | None = None
    """The content type of an answer that is no JSON: what else can be asked for, from 1.41 on, or all that there is."""
    takes: str | None = None
    """The content type of a body that, from 1.41 on, may be raw bytes of any length."""

    @property
    def dry(self) -> bool:
        """Whether one can ask what would happen, and nothing does: the answer is then a 200 of its own."""
        return dryrun.NAME in self.form.names

    def there(self, version: Version) -> bool:
        """Whether a version has it."""
        return self.min <= version <= self.max or (self.again is not None and version >= self.again)

    @property
    def action(self) -> bool:
        """Something that is done to a resource, or a part of it; the wrong method for it is simply not there."""
        return self.path.count("/") > 2


_LATEST_RENAME = Version(1, 13)
_C = "/containers/{container}"

# fmt: off
ROUTES: tuple[Route, ...] = (
    #     method    path                                    verb               form           ok   gives
    Route("GET",    "/",                                    verbs.root,        forms.NOTHING, 200, discovery.Versions, public=True, versioned=False),
    Route("GET",    "/v1",                                  verbs.version,     forms.NOTHING, 200, dict[str, Any], public=True),
    Route("GET",    "/healthcheck",                         verbs.healthcheck, forms.NOTHING, 200, None, public=True, versioned=False, raw=live.PLAIN),
    Route("GET",    "/openapi.json",                        verbs.document,    forms.NOTHING, 200, dict[str, Any], public=True, versioned=False),
    Route("POST",   "/containers",                          verbs.create,      forms.CREATE,  202, views.Container, json_only=True),
    Route("GET",    "/containers",                          verbs.list_,       forms.LIST,    200, views.ContainerList),
    Route("GET",    _C,                                     verbs.show,        forms.SHOW,    200, views.Container),
    Route("PATCH",  _C,                                     verbs.update,      forms.UPDATE,  200, views.Container),
    Route("DELETE", _C,                                     verbs.delete,      forms.DELETE,  204, None),
    Route("POST",   _C + "/start",                          verbs.start,       forms.NOTHING, 202, None),
    Route("POST",   _C + "/stop",                           verbs.stop,        forms.STOP,    202, None),
    Route("POST",   _C + "/reboot",                         verbs.reboot,      forms.STOP,    202, None),
    Route("POST",   _C + "/pause",                          verbs.pause,       forms.NOTHING, 202, None),
    Route("POST",   _C + "/unpause",                        verbs.unpause,     forms.NOTHING, 202, None),
    Route("POST",   _C + "/kill",                           live.kill,         forms.KILL,    202, None),
    Route("POST",   _C + "/rebuild",                        verbs.rebuild,     forms.REBUILD, 202, None),
    Route("POST",   _C + "/resize_container",               verbs.resize,      forms.RESIZE,  202, views.Container, min=Version(1, 19)),
    Route("POST",   _C + "/rename",                         verbs.rename,      forms.RENAME,  200, views.Container, max=_LATEST_RENAME),
    Route("GET",    _C + "/logs",                           live.logs,         forms.LOGS,    200, str, raw=live.PLAIN),
    Route("POST",   _C + "/execute",                        live.execute,      forms.EXECUTE, 200, views.Executed),
    Route("POST",   _C + "/execute_resize",                 live.execute_resize, live.EXECUTE_RESIZE, 200, None),
    Route("GET",    _C + "/attach",                         live.attach,       live.ATTACH,   200, str),
    Route("POST",   _C + "/resize",                         live.resize,       live.RESIZE,   200, None),
    Route("GET",    _C + "/top",                            live.top,          live.TOP,      200, live.ProcessTable),
    Route("GET",    _C + "/stats",                          live.stats,        forms.NOTHING, 200, live.Stats),
    Route("GET",    _C + "/get_archive",                    live.get_archive,  live.GET_ARCHIVE, 200, live.Archive, raw=live.TAR),
    Route("POST",   _C + "/put_archive",                    live.put_archive,  live.PUT_ARCHIVE, 200, None, takes=live.TAR),
    Route("POST",   _C + "/commit",                         live.commit,       live.COMMIT,   202, live.Committed),
    Route("POST",   _C + "/network_attach",                 networks.attach,   reach.ATTACH_NETWORK, 200, None, min=Version(1, 8)),
    Route("POST",   _C + "/network_detach",                 networks.detach,   reach.DETACH_NETWORK, 202, None, min=Version(1, 6)),
    Route("GET",    _C + "/network_list",                   networks.attached_to, forms.NOTHING, 200, networks.AttachedList, min=Version(1, 13)),
    Route("POST",   _C + "/add_security_group",             security_groups.add, security_groups.NAMED, 202, None, max=Version(1, 14), again=OURS),
    Route("POST",   _C + "/remove_security_group",          security_groups.remove, security_groups.NAMED, 202, None, max=Version(1, 14), again=OURS),
    Route("GET",    _C + "/container_actions",              verbs.actions,     forms.NOTHING, 200, views.ActionList),
    Route("GET",    _C + "/container_actions/{request_id}", verbs.action,      forms.NOTHING, 200, views.ActionRecord),
    Route("POST",   "/capsules",                            capsules.create,   capsules.CREATE, 202, capsules.Capsule, json_only=True),
    Route("GET",    "/capsules",                            capsules.list_,    capsules.LIST, 200, capsules.CapsuleList),
    Route("GET",    "/capsules/{capsule}",                  capsules.show,     forms.SHOW,    200, capsules.Capsule),
    Route("DELETE", "/capsules/{capsule}",                  capsules.delete,   capsules.DELETE, 204, None),
    Route("POST",   "/networks",                            networks.create,   networks.CREATE, 200, networks.Network, json_only=True),
    Route("GET",    "/networks",                            networks.list_,    networks.LIST, 200, networks.NetworkList, min=OURS),
    Route("GET",    "/networks/{network}",                  networks.show,     forms.NOTHING, 200, networks.Network, min=OURS),
    Route("DELETE", "/networks/{network}",                  networks.delete,   forms.NOTHING, 204, None, min=Version(1, 27)),
    Route("POST",   "/security_groups",        security_groups.create, security_groups.CREATE, 201, security_groups.SecurityGroup, min=OURS, json_only=True),
    Route("GET",    "/security_groups",                     security_groups.list_, security_groups.LIST, 200, security_groups.SecurityGroupList, min=OURS),
    Route("GET",    "/security_groups/{group}",             security_groups.show, forms.NOTHING, 200, security_groups.SecurityGroup, min=OURS),
    Route("DELETE", "/security_groups/{group}",             security_groups.delete, forms.NOTHING, 204, None, min=OURS),
    Route("GET",    "/services",                            hosts.services,    forms.NOTHING, 200, hosts.ServiceList),
    Route("DELETE", "/services",                            hosts.forget,      hosts.DELETE,  200, None),
    Route("DELETE", "/services/{host}",                     hosts.forget,      hosts.DELETE,  200, None),
    Route("PUT",    "/services/enable",                     hosts.enable,      hosts.SERVICE, 200, hosts.EnabledService),
    Route("PUT",    "/services/disable",                    hosts.disable,     hosts.DISABLE, 200, hosts.EnabledService),
    Route("PUT",    "/services/force_down",                 hosts.force_down,  hosts.FORCE_DOWN, 200, hosts.ForcedService),
    Route("POST",   "/images",                              images.pull,       images.PULL,   202, images.Image, json_only=True),
    Route("GET",    "/images",                              images.list_,      images.LIST,   200, images.ImageList),
    Route("GET",    "/images/{image}",                      images.show,       forms.NOTHING, 200, images.Image),
    Route("DELETE", "/images/{image}",                      images.delete,     forms.NOTHING, 200, None),
    Route("GET",    "/images/{name}/search",                images.search,     images.SEARCH, 200, list[images.Match], deep=True),
    Route("POST",   "/registries",                          registries.create, registries.CREATE, 201, registries.RegistryShown, json_only=True),
    Route("GET",    "/registries",                          registries.list_,  registries.LIST, 200, registries.RegistryList),
    Route("GET",    "/registries/{registry}",               registries.show,   forms.NOTHING, 200, registries.RegistryShown),
    Route("PATCH",  "/registries/{registry}",               registries.update, registries.UPDATE, 200, registries.RegistryShown),
    Route("DELETE", "/registries/{registry}",               registries.delete, forms.NOTHING, 204, None),
    Route("POST",   "/volumes",                             volumes.create,    volumes.CREATE, 201, volumes.Volume, min=OURS, json_only=True),
    Route("GET",    "/volumes",                             volumes.list_,     volumes.LIST,  200, volumes.VolumeList, min=OURS),
    Route("GET",    "/volumes/{volume}",                    volumes.show,      forms.NOTHING, 200, volumes.Volume, min=OURS),
    Route("DELETE", "/volumes/{volume}",                    volumes.delete,    forms.NOTHING, 204, None, min=OURS),
    Route("GET",    "/hosts",                               hosts.list_,       hosts.PAGING,  200, hosts.HostList, min=Version(1, 4)),
    Route("GET",    "/hosts/{host}",                        hosts.show,        forms.NOTHING, 200, hosts.Host, min=Version(1, 4)),
    Route("GET",    "/availability_zones",                  hosts.zones,       hosts.PAGING,  200, hosts.ZoneList),
    Route("GET",    "/quotas/defaults",                     quotas.defaults,   forms.NOTHING, 200, quotas.Limits),
    Route("GET",    "/quotas/{project}",                    quotas.show,       quotas.GET,    200, quotas.Quota),
    Route("PUT",    "/quotas/{project}",                    quotas.update,     quotas.UPDATE, 200, quotas.Limits),
    Route("DELETE", "/quotas/{project}",                    quotas.delete,     forms.NOTHING, 200, None),
    Route("GET",    "/quotas/{project}/defaults",           quotas.defaults,   forms.NOTHING, 200, quotas.Limits),
    Route("GET",    "/quota_classes/{quota_class}",         quotas.show_class, forms.NOTHING, 200, quotas.Limits),
    Route("PUT",    "/quota_classes/{quota_class}",         quotas.update_class, quotas.UPDATE, 200, quotas.Limits),
    Route("GET",    "/capabilities",                        hosts.capabilities, forms.NOTHING, 200, hosts.Capabilities, min=OURS),
    Route("GET",    "/console",                             console.connect,   console.CONSOLE, 101, None, public=True),
    Route("GET",    "/events",                              events.list_,      events.LIST,   200, events.EventPage, min=OURS, raw=events.SERVER_SENT),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Found:
    """The route of a request, and the variable parts of its path."""

    route: Route
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missed:
    """There is no route: for this path, or only for these other methods."""

    allowed: tuple[str, ...] = ()


def find(method: str, path: str) -> Found | Missed:
    """The route for a path as it came over the wire, still percent-encoded.

    Empty segments count for nothing, `.json` at the end neither, `/v1` may be missing in front. Other suffixes belong to the name.
    """
    segments = _segments(path)
    candidates, variables = _lookup(segments)
    route = candidates.get("GET" if method == "HEAD" else method)
    if route is not None:
        return Found(route, variables)
    if not candidates or any(one.action for one in candidates.values()):
        return Missed()
    return Missed(tuple(candidates))


def _segments(path: str) -> tuple[str, ...]:
    segments = [readable(unquote(one, errors="replace")) for one in path.split("/") if one]
    if segments and len(segments[-1]) > len(".json"):
        segments[-1] = segments[-1].removesuffix(".json")
    return tuple(segments[1:] if len(segments) > 1 and segments[0] == "v1" else segments)


def readable(text: str) -> str:
    """The text without what is not Unicode: bytes that came raw over the wire arrive as lone surrogates."""
    return text if text.isascii() else text.encode(errors="surrogateescape").decode(errors="replace")


def _lookup(segments: Sequence[str]) -> tuple[Mapping[str, Route], tuple[str, ...]]:
    """Literal paths first; then those in which every second segment is a name."""
    # A caller who writes "{}" must not meet the table's own sign for a name.
    if "{}" not in segments and (exact := _BY_SHAPE.get(tuple(segments))):
        return exact, ()
    if len(segments) > _DEEP and (deep := _DEEP_BY_ENDS.get((segments[0], segments[-1]))):
        return deep, ("/".join(segments[1:-1]),)
    names = tuple(segments[1::2])
    shape = list(segments)
    shape[1::2] = ["{}"] * len(names)
    # A name with NUL is nobody's; no database need be asked.
    if "\0" in "".join(names):
        return {}, ()
    return _BY_SHAPE.get(tuple(shape), {}), names


def _by_shape() -> Mapping[tuple[str, ...], Mapping[str, Route]]:
    found: dict[tuple[str, ...], dict[str, Route]] = {}
    for route in ROUTES:
        parts = route.path.removesuffix(".json").split("/")
        shape = tuple("{}" if part.startswith("{") else part for part in parts if part)
        found.setdefault(shape, {})[route.method] = route
    return found


_BY_SHAPE = _by_shape()
_DEEP = 3
"""Segments of those routes whose name has slashes, if it had none."""
_DEEP_BY_ENDS = {
    (shape[0], shape[-1]): routes for shape, routes in _BY_SHAPE.items() if any(route.deep for route in routes.values())
}
