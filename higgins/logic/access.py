"""Who may do what, before an operator says otherwise: roles, and the default policy rules."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

ADMIN, MANAGER, MEMBER, READER = ROLES = ("admin", "manager", "member", "reader")
"""Each role implies those after it."""

_MEMBER = "rule:project_member"
_READER = "rule:project_reader"
_ADMIN = "rule:context_is_admin"
_NOBODY = "!"

#: Names that a policy file can use and redefine; nobody asks for them directly.
_PERSONAS = {
    "context_is_admin": "role:admin",
    "project_manager": "rule:context_is_admin or (role:manager and project_id:%(project_id)s)",
    "project_member": "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
    "project_reader": "rule:context_is_admin or (role:reader and project_id:%(project_id)s)",
}

_WRITES = (
    "add_security_group",
    "attach",
    "commit",
    "create",
    "delete",
    "execute",
    "execute_resize",
    # It shows what is in the file system, as an exec does, and not what the container chose to tell.
    "get_archive",
    "kill",
    "network_attach",
    "network_detach",
    "pause",
    "put_archive",
    "reboot",
    "rebuild",
    "remove_security_group",
    "rename",
    "resize",
    "resize_container",
    "start",
    "stop",
    "unpause",
    "update",
)

_READS = ("actions", "get_all", "get_one", "logs", "stats", "top")

_OPERATORS = (
    "create:image_pull_policy",
    "create:requested_destination",
    "create:runtime",
    "delete_all_projects",
    "delete_force",
    "get_all_all_projects",
    "get_one:host",
    "get_one:image_pull_policy",
    "get_one:privileged",
    "get_one:runtime",
    "get_one_all_projects",
)

_OTHERS = {
    "availability_zones:get_all": _READER,
    "capabilities:get_all": _READER,
    "capsule:create": _MEMBER,
    "capsule:delete": _MEMBER,
    "capsule:delete_all_projects": _ADMIN,
    "capsule:get": _READER,
    "capsule:get:host": _ADMIN,
    "capsule:get_all": _READER,
    "capsule:get_all_all_projects": _ADMIN,
    "capsule:get_one_all_projects": _ADMIN,
    "event:get_all": _READER,
    "event:get_all_all_projects": _ADMIN,
    "host:get": _ADMIN,
    "host:get_all": _ADMIN,
    "image:delete": _ADMIN,
    "image:get_all": _ADMIN,
    "image:get_one": _ADMIN,
    "image:pull": _ADMIN,
    "image:search": _READER,
    "network:attach_external_network": _ADMIN,
    "network:create": _ADMIN,
    "network:create:own": _MEMBER,
    "network:delete": _ADMIN,
    "network:delete:own": _MEMBER,
    "network:get_all": _READER,
    "network:get_all_all_projects": _ADMIN,
    "network:get_one": _READER,
    "quota:delete": _ADMIN,
    "quota:get": _READER,
    "quota:get_default": _READER,
    "quota:update": _ADMIN,
    "quota_class:get": _ADMIN,
    "quota_class:update": _ADMIN,
    "registry:create": _MEMBER,
    "registry:delete": _MEMBER,
    "registry:get_all": _READER,
    "registry:get_all_all_projects": _ADMIN,
    "registry:get_one": _READER,
    "registry:update": _MEMBER,
    "volume:create": _MEMBER,
    "volume:delete": _MEMBER,
    "volume:get_all": _READER,
    "volume:get_all_all_projects": _ADMIN,
    "volume:get_one": _READER,
    "security_group:create": _MEMBER,
    "security_group:delete": _MEMBER,
    "security_group:get_all": _READER,
    "security_group:get_all_all_projects": _ADMIN,
    "security_group:get_one": _READER,
    "zun-service:delete": _ADMIN,
    "zun-service:disable": _ADMIN,
    "zun-service:enable": _ADMIN,
    "zun-service:force_down": _ADMIN,
    "zun-service:get_all": _ADMIN,
}

RULES: Mapping[str, str] = MappingProxyType(
    {
        **_PERSONAS,
        **{f"container:{verb}": _MEMBER for verb in _WRITES},
        **{f"container:{verb}": _READER for verb in _READS},
        **{f"container:{verb}": _ADMIN for verb in _OPERATORS},
        "container:action:events": _ADMIN,
        "container:create:privileged": _NOBODY,
        **_OTHERS,
    }
)
"""The default of every rule, in the language of oslo.policy."""

FIELD_RULE = "container:get_one:"
"""Followed by the name of a field: who sees it. A field without such a rule is seen by whoever sees the container."""

FIELDS = frozenset(
    {
        "addresses",
        "auto_heal",
        "auto_remove",
        "command",
        "cpu",
        "cpu_policy",
        "created_at",
        "deadline",
        "desired_state",
        "disk",
        "entrypoint",
        "environment",
        "exit_code",
        "finished_at",
        "health",
        "healthcheck",
        "host",
        "hostname",
        "image",
        "image_driver",
        "image_pull_policy",
        "interactive",
        "labels",
        "links",
        "memory",
        "mounts",
        "name",
        "ports",
        "privileged",
        "progress",
        "project_id",
        "published_ports",
        "registry_id",
        "restart_policy",
        "runtime",
        "security_groups",
        "started_at",
        "status",
        "status_detail",
        "status_reason",
        "task_state",
        "tty",
        "updated_at",
        "user_id",
        "uuid",
        "workdir",
    }
)
"""The fields that such a rule can name."""


def implied(roles: Iterable[str]) -> frozenset[str]:
    """These roles with all that they imply. Roles that are not ours stay as they are: an operator's rules may ask for them."""
    held = frozenset(roles)
    highest = min((ROLES.index(role) for role in held if role in ROLES), default=len(ROLES))
    return held | frozenset(ROLES[highest:])
