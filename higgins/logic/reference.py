"""How images are named: `[registry/]name[:tag][@digest]`."""

import re
from dataclasses import dataclass
from typing import Self

from higgins import errors

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_LONGEST_NAME = 255
DEFAULT_REGISTRY = "docker.io"
_ALSO_DEFAULT = ("index.docker.io",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The name of an image, taken apart."""

    registry: str | None
    """None: the default one."""
    path: str
    tag: str | None
    """None only where a digest says which image it is."""
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Invalid, saying which part is wrong."""
        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise _malformed(text, "the part after @ must be a digest such as sha256: and 64 hexadecimal digits")
        head, slash, last = rest.rpartition("/")
        last, colon, tag = last.partition(":")
        if colon and not _TAG.fullmatch(tag):
            raise _malformed(
                text,
                "the tag may have letters, digits, _, . and -, must not begin with . or -, and has at most 128 characters",
            )
        name = head + slash + last
        registry, path = _split(name)
        if registry is not None and not _REGISTRY.fullmatch(registry):
            raise _malformed(text, "the registry must be a host name, with a port if need be")
        if not _PATH.fullmatch(path):
            raise _malformed(
                text,
                "the name may have lower-case letters, digits, and ., _ or - between them, in parts separated by /",
            )
        if name == "sha256":
            raise _malformed(
                text, "an id is no name; it would reach images that were never meant for whoever guesses it"
            )
        if len(name) > _LONGEST_NAME:
            raise _malformed(text, f"the name must not be longer than {_LONGEST_NAME} characters")
        return cls(registry=registry, path=path, tag=tag or (None if digest else "latest"), digest=digest or None)

    @property
    def name(self) -> str:
        """Without tag and digest."""
        return f"{self.registry}/{self.path}" if self.registry else self.path

    @property
    def version(self) -> str:
        """Which of that name: the digest if there is one, since a tag beside it says nothing more."""
        return self.digest or self.tag or "latest"

    @property
    def domain(self) -> str:
        """The registry, the default one as well."""
        return DEFAULT_REGISTRY if self.registry in (None, *_ALSO_DEFAULT) else self.registry

    @property
    def repository(self) -> str:
        """The name in full: equal for all spellings of one name."""
        official = self.domain == DEFAULT_REGISTRY and "/" not in self.path
        return f"{self.domain}/library/{self.path}" if official else f"{self.domain}/{self.path}"

    @property
    def canonical(self) -> str:
        """The whole in full: equal for all spellings of one reference."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


def _split(name: str) -> tuple[str | None, str]:
    """A first part is a registry only if it could not be a part of a path: users write `team/app` as well as `host.example/app`."""
    first, slash, rest = name.partition("/")
    if slash and (set(first) & set(".:[") or first == "localhost"):
        return first, rest
    return None, name


def _malformed(text: str, why: str) -> errors.Invalid:
    return errors.Invalid(f"{text!r} is not the name of an image: {why}.")
