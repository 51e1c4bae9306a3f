"""The verbs of an operator: users, projects, and who has which role where."""

import time
import uuid
from collections.abc import Callable, Sequence

from higgins import errors
from higgins.logic import access
from higgins.model.identity import ById, ByName, Grant, Project, User
from higgins.model.ids import ProjectId, UserId
from higgins.service.passwords import Passwords
from higgins.store import capsules
from higgins.store import identity as store
from higgins.store.database import Connection, Database

_LONGEST_NAME = 255


class Accounts:
    """What an operator can do with users and projects. `ref` is a name, in any case of its letters, or an id."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._passwords = Passwords()
        self._clock = clock

    async def create_user(self, name: str, password: str) -> User:
        """Raises Conflict if the name is taken."""
        user = User(id=UserId(uuid.uuid4().hex), name=_checked_name(name), created_at=self._clock())
        hashed = await self._passwords.hash(_checked_password(password))
        await self._database.write(lambda db: store.add_user(db, user, hashed))
        return user

    async def users(self) -> Sequence[User]:
        return await self._database.read(store.every_user)

    async def user(self, ref: str) -> User:
        return await self._database.read(lambda db: find_user(db, ref))

    async def set_password(self, ref: str, password: str) -> User:
        """All tokens of the user end; application credentials stay, having secrets of their own."""
        hashed = await self._passwords.hash(_checked_password(password))

        def work(db: Connection) -> User:
            user = find_user(db, ref)
            store.set_password_hash(db, user.id, hashed)
            store.remove_tokens(db, user.id)
            return user

        return await self._database.write(work)

    async def set_enabled(self, ref: str, *, enabled: bool) -> User:
        """Whoever is disabled cannot log in, and all their tokens end."""

        def work(db: Connection) -> User:
            user = find_user(db, ref)
            store.set_enabled(db, user.id, enabled=enabled)
            if not enabled:
                store.remove_tokens(db, user.id)
            return find_user(db, user.id)

        return await self._database.write(work)

    async def delete_user(self, ref: str) -> None:
        """What the user made stays, in its project."""
        await self._database.write(lambda db: store.remove_user(db, find_user(db, ref).id))

    async def create_project(self, name: str) -> Project:
        """Raises Conflict if the name is taken."""
        project = Project(id=ProjectId(uuid.uuid4().hex), name=_checked_name(name), created_at=self._clock())
        await self._database.write(lambda db: store.add_project(db, project))
        return project

    async def projects(self) -> Sequence[Project]:
        return await self._database.read(store.every_project)

    async def project(self, ref: str) -> Project:
        return await self._database.read(lambda db: find_project(db, ref))

    async def delete_project(self, ref: str) -> None:
        """Raises Conflict while it has containers."""

        def work(db: Connection) -> None:
            project = find_project(db, ref)
            if count := capsules.count(db, project.id):
                raise errors.Conflict(
                    f"the project {project.name} still has {count} container{'s' if count > 1 else ''}: delete "
                    f"{'them' if count > 1 else 'it'} first (`openstack appcontainer list` as one of its members shows which)"
                )
            store.remove_project(db, project.id)

        await self._database.write(work)

    async def grant(self, user: str, project: str, role: str) -> Grant:
        """Succeeds if it is granted already."""

        def work(db: Connection) -> Grant:
            grant = Grant(user=find_user(db, user), project=find_project(db, project), role=_checked_role(role))
            store.grant(db, grant.user.id, grant.project.id, grant.role)
            return grant

        return await self._database.write(work)

    async def revoke(self, user: str, project: str, role: str) -> Grant:
        """The user's tokens for that project end. Raises NotFound for what was not granted."""

        def work(db: Connection) -> Grant:
            grant = Grant(user=find_user(db, user), project=find_project(db, project), role=_checked_role(role))
            if not store.revoke(db, grant.user.id, grant.project.id, grant.role):
                raise errors.NotFound(
                    f"the user {grant.user.name} has not been granted the role {role} in the project {grant.project.name}; "
                    "`higgins role list` shows what has been granted"
                )
            store.remove_tokens(db, grant.user.id, grant.project.id)
            return grant

        return await self._database.write(work)

    async def grants(self, *, user: str | None = None, project: str | None = None) -> Sequence[Grant]:
        """All; of one user or in one project only, where named."""

        def work(db: Connection) -> Sequence[Grant]:
            return store.every_grant(
                db,
                user_id=find_user(db, user).id if user is not None else None,
                project_id=find_project(db, project).id if project is not None else None,
            )

        return await self._database.read(work)


def find_user(db: Connection, ref: str) -> User:
    """By name or id. Raises NotFound."""
    user = store.user(db, ByName(ref)) or store.user(db, ById(ref))
    if user is None:
        raise errors.NotFound(f"there is no user {ref}; `higgins user list` shows those that there are")
    return user


def find_project(db: Connection, ref: str) -> Project:
    """By name or id. Raises NotFound."""
    project = store.project(db, ByName(ref)) or store.project(db, ById(ref))
    if project is None:
        raise errors.NotFound(f"there is no project {ref}; `higgins project list` shows those that there are")
    return project


def _checked_name(name: str) -> str:
    if not name or name != name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise errors.Invalid(
            f"the name {name!r} cannot be: 1 to {_LONGEST_NAME} printable characters, no space at the ends"
        )
    return name


def _checked_password(password: str) -> str:
    if not password:
        raise errors.Invalid("the password is empty")
    return password


def _checked_role(role: str) -> str:
    if role not in access.ROLES:
        raise errors.Invalid(f"there is no role {role}; the roles are {', '.join(access.ROLES)}")
    return role
