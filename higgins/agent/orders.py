"""What is wanted of a host's images: which, for whom, with which credentials."""

from collections.abc import Mapping
from dataclasses import dataclass

from higgins import errors
from higgins.logic.reference import Reference
from higgins.model.capsule import Container, PullPolicy
from higgins.model.ids import ProjectId, RegistryId
from higgins.model.live import ImageFacts
from higgins.model.registry import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An image that something is to be made of, and for whom."""

    image: str
    """With its registry in front."""
    project_id: ProjectId
    policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    login: Login | None = None

    @property
    def key(self) -> tuple[str, Login | None]:
        """Equal for all orders that one fetch serves: the reference in full, and the login if it is for that registry and says who asks."""
        wanted, login = Reference.parse(self.image), self.login
        if login is None or not login.username:
            return wanted.canonical, None
        theirs = Reference.parse(f"{login.domain}/x")
        return wanted.canonical, login if theirs.registry is not None and theirs.domain == wanted.domain else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What an order came to."""

    facts: ImageFacts
    turn: int
    """Which of the changes to the shelf it was taken after."""


def order(container: Container, project_id: ProjectId, logins: Mapping[RegistryId, Login]) -> Order:
    """What has to be ready before the container can be made. An image's name that has no registry in front gets that of the container.

    Raises Invalid for a malformed name, Unavailable without the login that it needs.
    """
    registry, login = Reference.parse(container.image).registry, _login(container, logins)
    return Order(
        image=container.image if login is None or registry is not None else f"{login.domain}/{container.image}",
        project_id=project_id,
        policy=container.pull or PullPolicy.IF_NOT_PRESENT,
        login=login,
    )


def _login(container: Container, logins: Mapping[RegistryId, Login]) -> Login | None:
    if container.registry is None:
        return None
    if container.registry not in logins:
        raise errors.Unavailable(
            f"The credentials for image {container.image} cannot be had from the control plane, whose log says why."
        )
    return logins[container.registry]
