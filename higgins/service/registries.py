"""The verbs of a registry: where a project's images come from, and the credentials for it."""

import fnmatch
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from higgins import errors
from higgins.logic.reference import DEFAULT_REGISTRY, Reference
from higgins.model.identity import Caller
from higgins.model.ids import CapsuleId, HostId, ProjectId, RegistryId
from higgins.model.query import Part, Query
from higgins.model.registry import Login, Registry
from higgins.service.hints import Hints
from higgins.service.policy import Policy
from higgins.service.secrets import Secrets
from higgins.store import registries
from higgins.store.database import Connection, Database
from higgins.store.registries import Stored

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """From which registries images may come, as the operator has decided."""

    allowed: Sequence[str] = ()
    """Domains, with `*` and `?` for what may vary; empty: all. Docker Hub is docker.io."""

    def check(self, image: str, registry: Registry | None = None) -> None:
        """Raises Forbidden for an image from elsewhere, Invalid for a malformed name where that cannot be told. `registry` counts where the name says none."""
        if not self.allowed:
            return
        parsed = Reference.parse(image)
        if parsed.registry is None and registry is not None:
            self.check_domain(registry.domain)
        else:
            self.check_domain(parsed.domain)

    def check_domain(self, domain: str) -> None:
        """Raises Forbidden for a registry that is not among them."""
        if self.allowed and not any(fnmatch.fnmatchcase(domain.lower(), each.lower()) for each in self.allowed):
            raise errors.Forbidden(
                f"Images may not come from registry {domain} here; ask the operator to allow it ([images] registries).",
                code="registry-not-allowed",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is said about a registry; None: nothing. An empty username or password means that there is none."""

    name: str | None = None
    domain: str | None = None
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        """Never the password."""
        return f"Given(name={self.name!r}, domain={self.domain!r}, username={self.username!r})"


class Registries:
    """What a caller can do with registries.

    Every verb checks the policy rule of its name (`registry:create`, ...), and sees only what the caller may see (Forbidden or NotFound, code
    `registry-not-found`, otherwise). `ref` is an id or a name; a name that several have is a Conflict. Admins find those of every project.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        secrets: Secrets,
        hints: Hints,
        sources: Sources | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._policy = policy
        self._secrets = secrets
        self._hints = hints
        self._sources = sources or Sources()
        self._clock = clock

    async def create(self, caller: Caller, registry_id: RegistryId, given: Given) -> Registry:
        """`registry_id` is a new one; the same request, sent again, gives what it made the first time.

        Raises Invalid for a domain that cannot stand in front of an image's name, Unavailable if passwords cannot be stored now."""
        self._allow(caller, "registry:create")
        domain = given.domain or ""
        self._check_domain(domain)
        registry = Registry(
            id=registry_id,
            project_id=caller.project_id,
            user_id=caller.user_id,
            name=given.name or f"registry-{registry_id[:8]}",
            domain=domain,
            username=given.username or None,
            created_at=self._clock(),
        )
        password = self._secrets.encrypt(given.password) if given.password else None

        def work(db: Connection) -> Registry:
            made = registries.find(db, caller.project_id, registry_id)
            if not made:
                registries.insert(db, registry, password)
            return made[0].registry if made else registry

        return await self._database.write(work)

    async def list(self, caller: Caller, query: Query) -> Part[Registry]:
        """The caller's; NotFound for an unknown marker."""
        self._allow(caller, "registry:get_all")
        if query.all_projects:
            self._allow(caller, "registry:get_all_all_projects")
        project = None if query.all_projects else caller.project_id
        return await self._database.read(lambda db: registries.page(db, project, query))

    async def show(self, caller: Caller, ref: str) -> Registry:
        return await self._database.read(lambda db: self._found(db, caller, ref, "registry:get_one").registry)

    async def update(self, caller: Caller, ref: str, given: Given) -> Registry:
        """What is said changes, at the next fetch for the containers that use it.

        Raises Invalid for another domain without the password: it was given for the former one, and whoever may change the address need not know it.
        """
        if given.domain is not None:
            self._check_domain(given.domain)
        password = self._secrets.encrypt(given.password) if given.password else None
        now = self._clock()

        def work(db: Connection) -> tuple[Registry, Sequence[tuple[CapsuleId, HostId]]]:
            registry, stored = self._found(db, caller, ref, "registry:update")
            if stored and given.password is None and given.domain not in (None, registry.domain):
                raise errors.Invalid(
                    "The stored password is for another domain: give the password for the new one, or an empty one.",
                    code="schema-validation-error",
                )
            changed = replace(
                registry,
                name=given.name or registry.name,
                domain=given.domain or registry.domain,
                username=registry.username if given.username is None else given.username or None,
            )
            written = registries.write(db, changed, stored if given.password is None else password, now)
            return written, registries.users(db, registry.id)

        updated, users = await self._database.write(work)
        for capsule_id, host_id in users:
            # Its host is told what it has to log in with from now on.
            self._hints.hosts.hint(host_id, capsule_id)
        return updated

    async def delete(self, caller: Caller, ref: str) -> None:
        """Raises Conflict while a container uses it."""

        def work(db: Connection) -> None:
            registries.delete(db, self._found(db, caller, ref, "registry:delete").registry.id)

        await self._database.write(work)

    async def find(self, caller: Caller, ref: str) -> Registry:
        """One for the caller's own container: never another project's, whoever asks."""
        return await self._database.read(
            lambda db: self._one(registries.find(db, caller.project_id, ref), caller, ref, "registry:get_one").registry
        )

    def login(self, stored: Stored) -> Login:
        """With the password. Raises Unavailable if it cannot be decrypted."""
        registry, password = stored
        return Login(
            domain=registry.domain,
            username=registry.username or "",
            password=self._secrets.decrypt(password) if password else "",
        )

    async def logins(self, ids: Iterable[RegistryId]) -> Mapping[RegistryId, Login]:
        """Of these registries, without those whose password cannot be decrypted: what needs no password must not suffer."""
        wanted = frozenset(ids)
        if not wanted:
            return {}
        found: dict[RegistryId, Login] = {}
        for stored in await self._database.read(lambda db: registries.every(db, wanted)):
            try:
                found[stored.registry.id] = self.login(stored)
            except errors.Unavailable:
                continue  # The log says so; the host tells whoever waits.
        return found

    async def login_at(self, project: ProjectId, domain: str) -> Login | None:
        """With which a project logs in to this domain, if it has stored that. Raises Unavailable if the password cannot be decrypted."""
        stored = await self._database.read(lambda db: registries.at(db, project, domain))
        return self.login(stored) if stored is not None else None

    async def renew(self) -> None:
        """Encrypt every password with the newest key, so that older ones can be taken out of the file."""
        for registry, password in await self._database.read(registries.every):
            if password is not None:
                fresh = self._secrets.renew(password)
                await self._database.write(
                    lambda db: registries.write_password(db, registry.id, password, fresh)  # noqa: B023 - awaited here
                )

    def _found(self, db: Connection, caller: Caller, ref: str, rule: str) -> Stored:
        found = registries.find(db, caller.project_id, ref)
        if not found and self._sees_all(caller):
            found = registries.find(db, None, ref)
        return self._one(found, caller, ref, rule)

    def _one(self, found: Sequence[Stored], caller: Caller, ref: str, rule: str) -> Stored:
        if not found:
            self._allow(caller, rule)
            raise errors.NotFound(f"Registry {ref} could not be found.", code="registry-not-found")
        if len(found) > 1:
            raise errors.Conflict("Multiple registries exist with same name. Please use the registry uuid instead.")
        registry = found[0].registry
        self._policy.check(caller, rule, project_id=registry.project_id, user_id=registry.user_id)
        return found[0]

    def _check_domain(self, domain: str) -> None:
        try:
            named = Reference.parse(f"{domain}/x").registry
        except errors.Invalid:
            named = None
        if named != domain:
            # Not repeated: some write their password into it.
            raise errors.Invalid(
                "Invalid input for field 'domain'. It must be the host name of a registry, with a port if need be, as it "
                f"stands in front of an image's name: registry.example or 10.0.0.1:5000, and {DEFAULT_REGISTRY} for Docker Hub.",
                code="schema-validation-error",
            )
        self._sources.check_domain(domain)

    def _allow(self, caller: Caller, rule: str) -> None:
        self._policy.check(caller, rule, project_id=caller.project_id, user_id=caller.user_id)

    def _sees_all(self, caller: Caller) -> bool:
        rule = "registry:get_all_all_projects"
        return self._policy.allows(caller, rule, project_id=caller.project_id, user_id=caller.user_id)
