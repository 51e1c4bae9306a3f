"""The local identity: logging in, what a token stands for, application credentials."""

import asyncio
import base64
import hashlib
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from argon2 import PasswordHasher

from higgins import errors
from higgins.logic import access
from higgins.model.identity import (
    ApplicationCredential,
    ById,
    ByName,
    Caller,
    CredentialId,
    Project,
    Reference,
    Scope,
    Token,
    User,
)
from higgins.model.ids import ProjectId, UserId
from higgins.service.passwords import HASHER, Passwords
from higgins.store import identity as store
from higgins.store.database import Connection, Database

_REMEMBERED_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class Issued:
    """A token and the secret that is it, which is told once and kept nowhere."""

    secret: str
    token: Token


@dataclass(frozen=True, slots=True)
class _Known:
    """A token as it was a moment ago."""

    until: float
    token: Token
    caller: Caller | None
    """None: it is for no project."""


class LocalIdentity:
    """Knows who is behind a token, and gives tokens to those who prove who they are.

    A token that was looked up is remembered for `remembered` seconds. So a token that ends early (its user disabled, its password changed or
    a grant removed, by a command or by another replica) may still be honoured for that long; a logout through this object counts at once.
    """

    def __init__(
        self,
        database: Database,
        *,
        token_lifetime: float = 43_200.0,
        remembered: float = 5.0,
        clock: Callable[[], float] = time.time,
        hasher: PasswordHasher = HASHER,
    ) -> None:
        self._database = database
        self._lifetime = token_lifetime
        self._remembered = remembered
        self._clock = clock
        self._passwords = Passwords(hasher)
        self._known: dict[str, _Known] = {}
        self._looking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def caller(self, token: str) -> Caller:
        """Who acts with this token, in which project."""
        caller = (await self._known_by(token)).caller
        if caller is None:
            raise errors.Unauthenticated("This token is for no project: log in with one, such as OS_PROJECT_NAME.")
        return caller

    async def token(self, secret: str) -> Token:
        """What this token stands for. Raises Unauthenticated if it is unknown or has ended."""
        return (await self._known_by(secret)).token

    async def log_in(self, user: Reference, password: str, scope: Reference | Scope = Scope.DEFAULT) -> Issued:
        """A token for whoever knows the password. An unknown user, a disabled one and a wrong password are told and take alike.

        Raises Unauthenticated for those, after too many failures in a row, and for a project in which the user has no role.
        """

        def look(db: Connection) -> tuple[User | None, str | None]:
            found = store.user(db, user)
            return found, store.password_hash(db, found.id) if found else None

        found, stored = await self._database.read(look)
        name = found.name if found else user.name if isinstance(user, ByName) else user.id
        matches = await self._passwords.match(name.casefold(), password, stored)
        if not matches or found is None or stored is None or not found.enabled:
            raise _unknown()
        renewed = await self._passwords.hash(password) if self._passwords.outdated(stored) else None

        def work(db: Connection) -> Issued:
            # Checked again where it is decided: the password may have been changed since it was read.
            if store.password_hash(db, found.id) != stored:
                raise _unknown()
            if renewed is not None:
                store.set_password_hash(db, found.id, renewed)
            return self._issue(db, found.id, scope, methods=("password",))

        return await self._database.write(work)

    async def log_in_with_credential(self, reference: Reference, user: Reference | None, secret: str) -> Issued:
        """A token for the project of an application credential, named by its id, or by its name and its user.

        Raises Unauthenticated, alike for an unknown one, an expired one and a wrong secret.
        """

        def work(db: Connection) -> Issued:
            credential = _credential(db, reference, user)
            stored = store.secret_hash(db, credential.id) if credential else None
            if not secrets.compare_digest(stored or "", _hashed(secret)) or credential is None:
                raise _unknown()
            if credential.expires_at is not None and credential.expires_at <= self._clock():
                raise _unknown()
            return self._issue(
                db,
                credential.user_id,
                ById(credential.project_id),
                methods=("application_credential",),
                credential=credential,
            )

        return await self._database.write(work)

    async def rescope(self, secret: str, scope: Reference | Scope) -> Issued:
        """Another token for the same user, which ends no later. One that came from an application credential stays in its project."""
        token = await self.token(secret)
        if token.credential is not None:
            raise errors.Forbidden("A token from an application credential cannot be used to get another.")
        methods = tuple(dict.fromkeys((*token.methods, "token")))

        def work(db: Connection) -> Issued:
            # It may have ended since it was remembered.
            if store.token(db, _hashed(secret), self._clock()) is None:
                raise _ended()
            return self._issue(db, token.user.id, scope, methods=methods, until=token.expires_at)

        return await self._database.write(work)

    async def log_out(self, secret: str) -> None:
        """The token ends; succeeds if it has ended already."""
        key = _hashed(secret)
        await self._database.write(lambda db: store.remove_token(db, key))
        self._known.pop(key, None)

    async def inspect(self, asking: Token, secret: str) -> Token:
        """What a token stands for, for its own user or an admin. Raises NotFound if it is unknown or has ended, Forbidden for others."""
        try:
            subject = await self.token(secret)
        except errors.Unauthenticated as error:
            raise errors.NotFound("There is no such token, or it has expired.") from error
        if subject.user.id != asking.user.id and access.ADMIN not in asking.roles:
            raise errors.Forbidden("Only an admin may look into another user's token.")
        return subject

    async def projects(self, user_id: UserId) -> Sequence[Project]:
        """Those in which the user has a role."""
        return await self._database.read(lambda db: store.projects_of(db, user_id))

    async def create_credential(
        self,
        user_id: UserId,
        project_id: ProjectId,
        name: str,
        *,
        roles: Iterable[str] | None = None,
        description: str | None = None,
        expires_at: float | None = None,
    ) -> tuple[ApplicationCredential, str]:
        """An application credential and its secret. `roles` are some of what the user has in the project, None for all.

        Raises Invalid for others, and Conflict if the user has another of that name.
        """
        now = self._clock()
        if expires_at is not None and expires_at <= now:
            raise errors.Invalid("expires_at: it is in the past")
        secret = secrets.token_urlsafe(32)
        wanted = frozenset(roles) if roles is not None else None

        def work(db: Connection) -> ApplicationCredential:
            held = access.implied(store.roles(db, user_id, project_id))
            given = held if wanted is None else wanted
            if not given or not given <= held:
                raise errors.Invalid(
                    f"roles: {', '.join(sorted(given - held)) or 'none'} cannot be given; the user has "
                    f"{', '.join(sorted(held)) or 'no role'} in this project"
                )
            credential = ApplicationCredential(
                id=CredentialId(uuid.uuid4().hex),
                name=name,
                description=description,
                user_id=user_id,
                project_id=project_id,
                roles=given,
                created_at=now,
                expires_at=expires_at,
            )
            store.add_credential(db, credential, _hashed(secret))
            return credential

        return await self._database.write(work), secret

    async def credentials(self, user_id: UserId) -> Sequence[ApplicationCredential]:
        return await self._database.read(lambda db: store.every_credential(db, user_id))

    async def credential(self, user_id: UserId, ref: str) -> ApplicationCredential:
        """One of the user's, by id or name. Raises NotFound."""
        return await self._database.read(lambda db: _own_credential(db, user_id, ref))

    async def delete_credential(self, user_id: UserId, ref: str) -> None:
        """Its tokens end. Raises NotFound."""
        await self._database.write(lambda db: store.remove_credential(db, _own_credential(db, user_id, ref).id))

    def check_own(self, asking: Token, user_id: str, *, changing: bool = False) -> UserId:
        """Raises Forbidden for what is another user's, and for changes with a token that came from an application credential:
        otherwise a program could give itself a longer life than it was given.
        """
        if asking.user.id != user_id:
            raise errors.Forbidden("This belongs to another user.")
        if changing and asking.credential is not None:
            raise errors.Forbidden(
                "With a token from an application credential, application credentials cannot be changed."
            )
        return asking.user.id

    async def _known_by(self, secret: str) -> _Known:
        key = _hashed(secret)
        known = self._known.get(key)
        if known is not None and known.until > self._clock():
            return known
        # Whoever else comes with the same token waits for the one look-up; if that is cancelled, the next in line does it.
        lock = self._looking.setdefault(key, asyncio.Lock())
        async with lock:
            known = self._known.get(key)
            if known is None or known.until <= self._clock():
                known = await self._look_up(key)
        return known

    async def _look_up(self, key: str) -> _Known:
        now = self._clock()
        token = await self._database.read(lambda db: store.token(db, key, now))
        if token is None:
            self._known.pop(key, None)
            raise _ended()
        known = _Known(min(now + self._remembered, token.expires_at), token, _caller(token))
        self._known[key] = known
        if len(self._known) > _REMEMBERED_TOKENS:
            del self._known[next(iter(self._known))]
        return known

    def _issue(
        self,
        db: Connection,
        user_id: UserId,
        scope: Reference | Scope,
        *,
        methods: tuple[str, ...],
        credential: ApplicationCredential | None = None,
        until: float | None = None,
    ) -> Issued:
        now = self._clock()
        user = store.user(db, ById(user_id))
        if user is None or not user.enabled:
            raise _unknown()
        project = _scoped(db, user, scope)
        roles = access.implied(store.roles(db, user.id, project.id)) if project else frozenset[str]()
        if credential is not None:
            roles &= credential.roles
        if project is not None and not roles:
            raise _no_role(user, scope)
        token = Token(
            audit_id=_short(secrets.token_bytes(16)),
            user=user,
            project=project,
            roles=roles,
            methods=methods,
            credential=credential,
            issued_at=now,
            expires_at=min(
                now + self._lifetime, until or float("inf"), (credential and credential.expires_at) or float("inf")
            ),
        )
        secret = secrets.token_urlsafe(32)
        # Here, because the write is paid for anyway; nothing else has to come by to sweep.
        store.remove_expired_tokens(db, now)
        store.add_token(db, token, _hashed(secret))
        return Issued(secret, token)


def _caller(token: Token) -> Caller | None:
    if token.project is None:
        return None
    return Caller(user_id=token.user.id, project_id=token.project.id, roles=token.roles)


def _scoped(db: Connection, user: User, scope: Reference | Scope) -> Project | None:
    match scope:
        case Scope.NONE:
            return None
        case Scope.DEFAULT:
            own = store.projects_of(db, user.id)
            return own[0] if len(own) == 1 else None
        case _:
            project = store.project(db, scope)
            if project is None:
                raise _no_role(user, scope)
            return project


def _credential(db: Connection, reference: Reference, user: Reference | None) -> ApplicationCredential | None:
    if user is None:
        return store.credential(db, CredentialId(reference.id)) if isinstance(reference, ById) else None
    owner = store.user(db, user)
    return store.credential_of(db, owner.id, reference) if owner else None


def _own_credential(db: Connection, user_id: UserId, ref: str) -> ApplicationCredential:
    credential = store.credential_of(db, user_id, ById(ref)) or store.credential_of(db, user_id, ByName(ref))
    if credential is None:
        raise errors.NotFound(f"There is no application credential {ref}.")
    return credential


def _no_role(user: User, scope: Reference | Scope) -> errors.Unauthenticated:
    """The same for a project that does not exist: a stranger cannot find out which there are."""
    match scope:
        case ById(named) | ByName(named):
            return errors.Unauthenticated(f"The user {user.name} has no role in a project {named}.")
        case _:
            return errors.Unauthenticated(f"The user {user.name} has no role in any project.")


def _unknown() -> errors.Unauthenticated:
    return errors.Unauthenticated("The user name, password or secret is wrong.")


def _ended() -> errors.Unauthenticated:
    return errors.Unauthenticated("The token is unknown or has expired: log in again.")


def _hashed(secret: str) -> str:
    # "surrogateescape": a header can hold any bytes, and such a token is simply not known.
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _short(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
