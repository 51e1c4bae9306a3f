"""Networks that end at their host: a router of its own for each of them, made of the kernel's parts."""

from higgins.drivers.networks.local.plug import LocalPlug, missing

__all__ = ["LocalPlug", "missing"]
