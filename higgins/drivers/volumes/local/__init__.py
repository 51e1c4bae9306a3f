"""Volumes that lie on the host itself."""

from higgins.drivers.volumes.local.loops import possible
from higgins.drivers.volumes.local.volumes import LocalVolumes

__all__ = ["LocalVolumes", "possible"]
