"""Networks that end at their host: a router of its own for each of them, made of the kernel's parts."""

from higgins.drivers.networks.local.plug import LocalPlug, missing
from higgins.drivers.networks.local.wanted import NAMESERVER

__all__ = ["NAMESERVER", "LocalPlug", "missing"]
