"""The image: what containers are made from, as it lies on one host."""

from dataclasses import dataclass
from enum import StrEnum

from higgins.model.capsule import Progress
from higgins.model.ids import HostId, ImageId, ProjectId

SORT_KEYS = ("id", "uuid", "repo", "tag", "image_id", "size", "project_id", "host", "state", "created_at")
"""What a list of images can be sorted by. `id` is the order of creation."""


class ImageState(StrEnum):
    """Where an image that was asked for stands."""

    WANTED = "wanted"
    """It is being fetched, or will be."""
    PRESENT = "present"
    FAILED = "failed"
    """It could not be fetched, and is not tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that somebody has asked for on a host, or made there."""

    id: ImageId
    project_id: ProjectId
    host_id: HostId
    host: str = ""
    """The host's name, filled in on reading."""
    repo: str
    tag: str
    digest: str | None = None
    """The id by which the runtime knows it; None until it is there."""
    size: int | None = None
    """Bytes."""
    state: ImageState = ImageState.WANTED
    reason: str | None = None
    """Why it is not there."""
    progress: Progress | None = None
    created_at: float
    deadline: float | None = None
    """Until when it has to be there; None once it is, or has failed."""
