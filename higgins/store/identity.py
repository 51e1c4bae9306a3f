"""Users, projects, grants, application credentials and tokens in the database."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from higgins import errors
from higgins.model.identity import (
    ApplicationCredential,
    ById,
    ByName,
    CredentialId,
    Grant,
    Project,
    Reference,
    Token,
    User,
)
from higgins.model.ids import ProjectId, UserId
from higgins.store.database import Connection
from higgins.store.tables import metadata


def _owner(name: str, table: str, *, nullable: bool = False, key: bool = False) -> sa.Column[Any]:
    """What belongs to somebody goes with them."""
    reference = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(name, sa.String(64), reference, nullable=nullable, primary_key=key)


users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("folded_name", sa.String(255), nullable=False, unique=True),
    sa.Column("password_hash", sa.String(255), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("folded_name", sa.String(255), nullable=False, unique=True),
    sa.Column("created_at", sa.Float, nullable=False),
)

grants = sa.Table(
    "grants",
    metadata,
    _owner("user_id", "users", key=True),
    _owner("project_id", "projects", key=True),
    sa.Column("role", sa.String(64), primary_key=True),
    sa.Index(None, "project_id"),
)

credentials = sa.Table(
    "application_credentials",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    _owner("user_id", "users"),
    _owner("project_id", "projects"),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("secret_hash", sa.String(64), nullable=False),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float),
    sa.UniqueConstraint("user_id", "name"),
    sa.Index(None, "project_id"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("secret_hash", sa.String(64), primary_key=True),
    sa.Column("audit_id", sa.String(64), nullable=False),
    _owner("user_id", "users"),
    _owner("project_id", "projects", nullable=True),
    _owner("credential_id", "application_credentials", nullable=True),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("methods", sa.Text, nullable=False),
    sa.Column("issued_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Index(None, "user_id"),
    sa.Index(None, "project_id"),
    sa.Index(None, "credential_id"),
    sa.Index(None, "expires_at"),
)


def add_user(db: Connection, user: User, password_hash: str) -> None:
    """Raises Conflict if the name is taken."""
    row = {"password_hash": password_hash, "enabled": user.enabled}
    _add(db, users, row | _named(user), f"there is already a user with the name {user.name}")


def every_user(db: Connection) -> Sequence[User]:
    """All users, by name."""
    return tuple(_user(row) for row in db.execute(users.select().order_by(users.c.folded_name)))


def user(db: Connection, reference: Reference) -> User | None:
    row = db.execute(users.select().where(_is(users, reference))).one_or_none()
    return _user(row) if row is not None else None


def password_hash(db: Connection, user_id: UserId) -> str | None:
    """Of an existing user."""
    return db.execute(sa.select(users.c.password_hash).where(users.c.id == user_id)).scalar_one_or_none()


def set_password_hash(db: Connection, user_id: UserId, password_hash: str) -> None:
    db.execute(users.update().where(users.c.id == user_id).values(password_hash=password_hash))


def set_enabled(db: Connection, user_id: UserId, *, enabled: bool) -> None:
    db.execute(users.update().where(users.c.id == user_id).values(enabled=enabled))


def remove_user(db: Connection, user_id: UserId) -> None:
    """With all grants, application credentials and tokens."""
    db.execute(users.delete().where(users.c.id == user_id))


def add_project(db: Connection, project: Project) -> None:
    """Raises Conflict if the name is taken."""
    _add(db, projects, _named(project), f"there is already a project with the name {project.name}")


def every_project(db: Connection) -> Sequence[Project]:
    """All projects, by name."""
    return tuple(_project(row) for row in db.execute(projects.select().order_by(projects.c.folded_name)))


def project(db: Connection, reference: Reference) -> Project | None:
    row = db.execute(projects.select().where(_is(projects, reference))).one_or_none()
    return _project(row) if row is not None else None


def remove_project(db: Connection, project_id: ProjectId) -> None:
    """With all grants, application credentials and tokens."""
    db.execute(projects.delete().where(projects.c.id == project_id))


def grant(db: Connection, user_id: UserId, project_id: ProjectId, role: str) -> None:
    """Succeeds if it is granted already."""
    if role not in roles(db, user_id, project_id):
        db.execute(grants.insert(), {"user_id": user_id, "project_id": project_id, "role": role})


def revoke(db: Connection, user_id: UserId, project_id: ProjectId, role: str) -> bool:
    """Whether there was such a grant."""
    removed = db.execute(
        grants.delete().where(grants.c.user_id == user_id, grants.c.project_id == project_id, grants.c.role == role)
    )
    return removed.rowcount > 0


def roles(db: Connection, user_id: UserId, project_id: ProjectId) -> frozenset[str]:
    """As granted, without what they imply."""
    granted = sa.select(grants.c.role).where(grants.c.user_id == user_id, grants.c.project_id == project_id)
    return frozenset(db.execute(granted).scalars())


def every_grant(
    db: Connection, *, user_id: UserId | None = None, project_id: ProjectId | None = None
) -> Sequence[Grant]:
    """By project, then by user; of this user and in this project only, where given."""
    wanted = (
        sa.select(grants.c.role, *_labelled(users), *_labelled(projects))
        .select_from(grants.join(users).join(projects))
        .order_by(projects.c.folded_name, users.c.folded_name, grants.c.role)
    )
    if user_id is not None:
        wanted = wanted.where(grants.c.user_id == user_id)
    if project_id is not None:
        wanted = wanted.where(grants.c.project_id == project_id)
    return tuple(
        Grant(user=_user(row, "users_"), project=_project(row, "projects_"), role=row.role)
        for row in db.execute(wanted)
    )


def projects_of(db: Connection, user_id: UserId) -> Sequence[Project]:
    """Those in which a user has a role, by name."""
    held = sa.select(grants.c.project_id).where(grants.c.user_id == user_id)
    wanted = projects.select().where(projects.c.id.in_(held)).order_by(projects.c.folded_name)
    return tuple(_project(row) for row in db.execute(wanted))


def add_credential(db: Connection, credential: ApplicationCredential, secret_hash: str) -> None:
    """Raises Conflict if the user has another of that name."""
    row = {
        "id": credential.id,
        "user_id": credential.user_id,
        "project_id": credential.project_id,
        "name": credential.name,
        "description": credential.description,
        "secret_hash": secret_hash,
        "roles": _listed(credential.roles),
        "created_at": credential.created_at,
        "expires_at": credential.expires_at,
    }
    _add(db, credentials, row, f"there is already an application credential with the name {credential.name}")


def every_credential(db: Connection, user_id: UserId) -> Sequence[ApplicationCredential]:
    """Of a user, by name."""
    wanted = credentials.select().where(credentials.c.user_id == user_id).order_by(credentials.c.name)
    return tuple(_credential(row) for row in db.execute(wanted))


def credential(db: Connection, credential_id: CredentialId) -> ApplicationCredential | None:
    row = db.execute(credentials.select().where(credentials.c.id == credential_id)).one_or_none()
    return _credential(row) if row is not None else None


def credential_of(db: Connection, user_id: UserId, reference: Reference) -> ApplicationCredential | None:
    """One of a user's; the letters of its name must match exactly."""
    match reference:
        case ById(id):
            wanted = credentials.c.id == id
        case ByName(name):
            wanted = credentials.c.name == name
    row = db.execute(credentials.select().where(credentials.c.user_id == user_id, wanted)).one_or_none()
    return _credential(row) if row is not None else None


def secret_hash(db: Connection, credential_id: CredentialId) -> str | None:
    """Of an existing application credential."""
    wanted = sa.select(credentials.c.secret_hash).where(credentials.c.id == credential_id)
    return db.execute(wanted).scalar_one_or_none()


def remove_credential(db: Connection, credential_id: CredentialId) -> None:
    """With all tokens that it was used for."""
    db.execute(credentials.delete().where(credentials.c.id == credential_id))


def add_token(db: Connection, token: Token, secret_hash: str) -> None:
    row = {
        "secret_hash": secret_hash,
        "audit_id": token.audit_id,
        "user_id": token.user.id,
        "project_id": token.project.id if token.project else None,
        "credential_id": token.credential.id if token.credential else None,
        "roles": _listed(token.roles),
        "methods": json.dumps(token.methods),
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
    }
    db.execute(tokens.insert(), row)


def token(db: Connection, secret_hash: str, now: float) -> Token | None:
    """The token, unless it has expired or its user is disabled."""
    row = db.execute(
        sa.select(tokens, *_labelled(users), *_labelled(projects), *_labelled(credentials))
        .select_from(tokens.join(users).outerjoin(projects, tokens.c.project_id == projects.c.id))
        .outerjoin(credentials, tokens.c.credential_id == credentials.c.id)
        .where(tokens.c.secret_hash == secret_hash, tokens.c.expires_at > now, users.c.enabled)
    ).one_or_none()
    if row is None:
        return None
    return Token(
        audit_id=row.audit_id,
        user=_user(row, "users_"),
        project=_project(row, "projects_") if row.project_id is not None else None,
        roles=frozenset(json.loads(row.roles)),
        methods=tuple(json.loads(row.methods)),
        credential=_credential(row, "application_credentials_") if row.credential_id is not None else None,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
    )


def remove_token(db: Connection, secret_hash: str) -> None:
    db.execute(tokens.delete().where(tokens.c.secret_hash == secret_hash))


def remove_tokens(db: Connection, user_id: UserId, project_id: ProjectId | None = None) -> None:
    """All tokens of a user; only those for this project, where given."""
    doomed = tokens.delete().where(tokens.c.user_id == user_id)
    db.execute(doomed if project_id is None else doomed.where(tokens.c.project_id == project_id))


def remove_expired_tokens(db: Connection, now: float) -> None:
    db.execute(tokens.delete().where(tokens.c.expires_at <= now))


def _add(db: Connection, table: sa.Table, row: dict[str, Any], taken: str) -> None:
    try:
        db.execute(table.insert(), row)
    except exc.IntegrityError as error:
        raise errors.Conflict(taken) from error


def _named(thing: User | Project) -> dict[str, Any]:
    return {
        "id": thing.id,
        "name": thing.name,
        "folded_name": thing.name.casefold(),
        "created_at": thing.created_at,
    }


def _is(table: sa.Table, reference: Reference) -> sa.ColumnElement[bool]:
    match reference:
        case ById(id):
            return table.c.id == id
        case ByName(name):
            return table.c.folded_name == name.casefold()


def _labelled(table: sa.Table) -> Iterable[sa.Label[Any]]:
    return [column.label(f"{table.name}_{column.name}") for column in table.c]


def _user(row: sa.Row[Any], prefix: str = "") -> User:
    held = row._mapping
    return User(
        id=UserId(held[prefix + "id"]),
        name=held[prefix + "name"],
        enabled=held[prefix + "enabled"],
        created_at=held[prefix + "created_at"],
    )


def _project(row: sa.Row[Any], prefix: str = "") -> Project:
    held = row._mapping
    return Project(
        id=ProjectId(held[prefix + "id"]), name=held[prefix + "name"], created_at=held[prefix + "created_at"]
    )


def _credential(row: sa.Row[Any], prefix: str = "") -> ApplicationCredential:
    held = row._mapping
    return ApplicationCredential(
        id=CredentialId(held[prefix + "id"]),
        name=held[prefix + "name"],
        description=held[prefix + "description"],
        user_id=UserId(held[prefix + "user_id"]),
        project_id=ProjectId(held[prefix + "project_id"]),
        roles=frozenset(json.loads(held[prefix + "roles"])),
        created_at=held[prefix + "created_at"],
        expires_at=held[prefix + "expires_at"],
    )


def _listed(names: Iterable[str]) -> str:
    return json.dumps(sorted(names))
