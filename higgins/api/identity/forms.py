"""What the login's requests may carry. Keys that Keystone knows and that mean nothing here are passed over."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from higgins import errors
from higgins.logic import access
from higgins.model.identity import ById, ByName, Reference, Scope

DOMAIN_ID, DOMAIN_NAME = "default", "Default"

S = TypeVar("S", bound=Struct)

CredentialName = Annotated[str, Meta(min_length=1, max_length=255)]


class Domain(Struct):
    """There is one."""

    id: str | None = None
    name: str | None = None


class Named(Struct):
    """A user or a project: by id, or by name and domain."""

    id: str | None = None
    name: str | None = None
    domain: Domain | None = None


class PasswordUser(Named, kw_only=True):
    """Who logs in with a password."""

    password: str


class Password(Struct):
    """The method of that name."""

    user: PasswordUser


class HeldToken(Struct):
    """A token that is exchanged for another."""

    id: str


class Credential(Struct):
    """An application credential: by id, or by name and user."""

    secret: str
    id: str | None = None
    name: str | None = None
    user: Named | None = None


class Proof(Struct):
    """Who logs in, and what proves it."""

    methods: Annotated[list[str], Meta(min_length=1)]
    password: Password | None = None
    token: HeldToken | None = None
    application_credential: Credential | None = None


class Wanted(Struct):
    """What the token is to be for."""

    project: Named | None = None
    unscoped: dict[str, Any] | None = None
    domain: dict[str, Any] | None = None
    system: dict[str, Any] | None = None


class Auth(Struct):
    """A login."""

    identity: Proof
    scope: Wanted | Literal["unscoped"] | None = None


class LogIn(Struct):
    """The body of a login."""

    auth: Auth


class NewCredential(Struct):
    """An application credential to be made."""

    name: CredentialName
    description: str | None = None
    roles: list[Named] | None = None
    expires_at: str | None = None
    secret: str | None = None
    unrestricted: bool | None = None
    access_rules: list[Any] | None = None
    project_id: str | None = None


class CreateCredential(Struct):
    """The body that asks for one."""

    application_credential: NewCredential


async def read(request: web.Request, kind: type[S]) -> S:
    """The body. Raises Invalid naming the field that is wrong."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.ValidationError as error:
        raise errors.Invalid(f"The request's body is not valid: {str(error).replace('`$.', '`')}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.Invalid(f"The request's body is not JSON: {error}.") from error
    except RecursionError as error:
        raise errors.Invalid("The request's body is nested too deeply.") from error


def reference(named: Named | None, where: str) -> Reference:
    """Which user or project this names. Raises Invalid if it names none, Unauthenticated for another domain."""
    match named:
        case Named(id=str(id)):
            return ById(id)
        case Named(name=str(name)):
            # There is one domain, so that it need not be told; who tells another means another service.
            domain = named.domain or Domain()
            if domain.id not in (None, DOMAIN_ID) or (domain.name or DOMAIN_NAME).lower() != DOMAIN_NAME.lower():
                raise errors.Unauthenticated(f"{where}.domain: the only domain is {DOMAIN_NAME}.")
            return ByName(name)
        case _:
            raise errors.Invalid(f"{where}: it needs an id, or a name and a domain.")


def scope(auth: Auth) -> Reference | Scope:
    """What a token is wanted for. Raises Invalid for what there is not here."""
    match auth.scope:
        case None:
            return Scope.DEFAULT
        case "unscoped" | Wanted(unscoped=dict()):
            return Scope.NONE
        case Wanted(project=Named() as project):
            return reference(project, "auth.scope.project")
        case _:
            raise errors.Invalid("auth.scope: a token can be for a project, or unscoped.")


def roles(wanted: NewCredential) -> tuple[str, ...] | None:
    """The roles that a new credential is to have; None for all."""
    if not wanted.roles:
        return None
    names = tuple(role.name or role.id or "" for role in wanted.roles)
    for name in names:
        if name not in access.ROLES:
            raise errors.Invalid(f"application_credential.roles: there is no role {name!r}.")
    return names


def expiry(wanted: NewCredential) -> float | None:
    """When a new credential is to end; a time without an offset is in UTC."""
    if wanted.expires_at is None:
        return None
    try:
        moment = datetime.fromisoformat(wanted.expires_at)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise errors.Invalid(
            "application_credential.expires_at: it must be a time such as 2027-01-31T12:00:00Z."
        ) from error
