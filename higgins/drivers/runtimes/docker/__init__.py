"""A Docker Engine as the runtime of a host."""

from higgins.drivers.runtimes.docker.runtime import DockerRuntime

__all__ = ["DockerRuntime"]
