"""What the login answers, in Keystone's words."""

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import UNSET, Struct, UnsetType, field

from higgins.api.identity.forms import DOMAIN_ID, DOMAIN_NAME
from higgins.logic import access
from higgins.model.identity import ApplicationCredential, Project, Token, User

_VERSION = "v3.14"
_UPDATED = "2020-04-07T00:00:00Z"


class Link(Struct):
    """Where something is."""

    rel: str
    href: str


class MediaType(Struct, rename="kebab"):
    """What is spoken."""

    base: str = "application/json"
    type: str = "application/vnd.openstack.identity-v3+json"


class Version(Struct, rename={"media_types": "media-types"}):
    """The one version of this API."""

    links: list[Link]
    id: str = _VERSION
    status: str = "stable"
    updated: str = _UPDATED
    media_types: list[MediaType] = field(default_factory=lambda: [MediaType()])


class Id(Struct):
    """Something with an id and a name; of a role both are the same."""

    id: str
    name: str


class Owned(Id):
    """A user or a project of the one domain."""

    domain: Id = field(default_factory=lambda: Id(DOMAIN_ID, DOMAIN_NAME))


class TokenUser(Owned):
    """Whose token it is."""

    password_expires_at: str | None = None


class TokenCredential(Id):
    """Which application credential a token came from."""

    restricted: bool = True


class Endpoint(Struct):
    """Where a service answers, for whom."""

    id: str
    interface: str
    region: str
    region_id: str
    url: str


class Service(Struct):
    """A service and where it answers."""

    id: str
    type: str
    name: str
    endpoints: list[Endpoint]


class TokenBody(Struct, kw_only=True):
    """What a token stands for."""

    methods: tuple[str, ...]
    user: TokenUser
    audit_ids: list[str]
    issued_at: str
    expires_at: str
    project: Owned | UnsetType = UNSET
    is_domain: bool | UnsetType = UNSET
    roles: list[Id] | UnsetType = UNSET
    catalog: list[Service] | UnsetType = UNSET
    application_credential: TokenCredential | UnsetType = UNSET


class ProjectBody(Struct, kw_only=True):
    """A project."""

    id: str
    name: str
    domain_id: str = DOMAIN_ID
    parent_id: str = DOMAIN_ID
    description: str = ""
    enabled: bool = True
    is_domain: bool = False
    links: dict[str, str]


class UserBody(Struct, kw_only=True):
    """A user."""

    id: str
    name: str
    domain_id: str = DOMAIN_ID
    enabled: bool
    password_expires_at: str | None = None
    links: dict[str, str]


class RoleBody(Struct, kw_only=True):
    """A role."""

    id: str
    name: str
    domain_id: str | None = None
    description: str | None = None
    links: dict[str, str]


class CredentialBody(Struct, kw_only=True):
    """An application credential; its secret only in the answer that makes it."""

    id: str
    name: str
    description: str | None
    project_id: str
    user_id: str
    roles: list[Id]
    expires_at: str | None
    secret: str | UnsetType = UNSET
    unrestricted: bool = False
    access_rules: list[str] = []
    system: str | None = None
    links: dict[str, str]


def version(door: str) -> Version:
    """`door` is the address of the whole login, without a slash at the end."""
    return Version(links=[Link("self", f"{door}/v3/")])


def catalog(base: str, region: str) -> list[Service]:
    """What there is besides the login; `base` is the address of the whole service."""
    return [
        _service("container", "higgins", f"{base}/v1", region),
        _service("identity", "higgins-identity", f"{base}/identity/v3", region),
    ]


def token(token: Token, catalog: list[Service] | None) -> TokenBody:
    """Without a project there are no roles, and without roles no catalogue."""
    body = TokenBody(
        methods=token.methods,
        user=TokenUser(token.user.id, token.user.name),
        audit_ids=[token.audit_id],
        issued_at=_moment(token.issued_at),
        expires_at=_moment(token.expires_at),
    )
    if token.project is not None:
        body.project = Owned(token.project.id, token.project.name)
        body.is_domain = False
        body.roles = _roles(token.roles)
        body.catalog = UNSET if catalog is None else catalog
    if token.credential is not None:
        body.application_credential = TokenCredential(token.credential.id, token.credential.name)
    return body


def project(project: Project, door: str) -> ProjectBody:
    return ProjectBody(id=project.id, name=project.name, links={"self": f"{door}/v3/projects/{project.id}"})


def user(user: User, door: str) -> UserBody:
    return UserBody(id=user.id, name=user.name, enabled=user.enabled, links={"self": f"{door}/v3/users/{user.id}"})


def roles(door: str) -> list[RoleBody]:
    """All that there are."""
    return [RoleBody(id=name, name=name, links={"self": f"{door}/v3/roles/{name}"}) for name in access.ROLES]


def credential(credential: ApplicationCredential, door: str, secret: str | None = None) -> CredentialBody:
    return CredentialBody(
        id=credential.id,
        name=credential.name,
        description=credential.description,
        project_id=credential.project_id,
        user_id=credential.user_id,
        roles=_roles(credential.roles),
        expires_at=_moment(credential.expires_at) if credential.expires_at is not None else None,
        secret=UNSET if secret is None else secret,
        links={"self": f"{door}/v3/users/{credential.user_id}/application_credentials/{credential.id}"},
    )


def _service(kind: str, name: str, url: str, region: str) -> Service:
    interfaces = ("public", "internal", "admin")
    endpoints = [Endpoint(f"{kind}-{interface}", interface, region, region, url) for interface in interfaces]
    return Service(kind, kind, name, endpoints)


def _roles(names: Iterable[str]) -> list[Id]:
    return [Id(name, name) for name in sorted(names)]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
