"""Which version of the API a request is answered in."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from higgins import errors

HEADER = "OpenStack-API-Version"
SERVICE = "container"


class Version(NamedTuple):
    """A microversion; compares as numbers do, so that 1.9 comes before 1.10."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


MIN = Version(1, 1)
MAX = Version(1, 41)
OURS = Version(1, 41)
"""From here on there is what Zun has no word for."""


@lru_cache(maxsize=256)
def negotiate(header: str | None) -> Version:
    """The version that a request's header asks for; the oldest when it asks for none. Raises NotAcceptable."""
    if header is None:
        return MIN
    words = header.split()
    if len(words) != 2 or words[0] != SERVICE:
        raise errors.NotAcceptable("Invalid service type for OpenStack-API-Version header")
    if words[1].lower() == "latest":
        return MAX
    # More digits than any version ever has would only make a number too long to print.
    found = re.fullmatch(r"([0-9]{1,9})\.([0-9]{1,9})", words[1])
    if found is None:
        raise errors.NotAcceptable("Invalid value for OpenStack-API-Version header")
    version = Version(int(found[1]), int(found[2]))
    supported = f"The supported version range is: [{SERVICE} {MIN}, {SERVICE} {MAX}]."
    if version.major != MAX.major:
        raise errors.NotAcceptable(
            f"Mutually exclusive versions requested. Version {version} requested but not supported by this service. {supported}",
            code="microversion-unsupported",
        )
    if not MIN <= version <= MAX:
        raise errors.NotAcceptable(
            f"Version {version} was requested but the minor version is not supported by this service. {supported}",
            code="microversion-unsupported",
        )
    return version


@cache
def headers(version: Version) -> Mapping[str, str]:
    """What every versioned answer says about versions."""
    return {
        HEADER: f"{SERVICE} {version}",
        "OpenStack-API-Minimum-Version": f"{SERVICE} {MIN}",
        "OpenStack-API-Maximum-Version": f"{SERVICE} {MAX}",
        "Vary": HEADER,
    }
