"""The ports that programs of this host have, from the kernel's own tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from higgins.model.network import HostPort

_TABLES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
_WAITING = {"tcp": "0A", "udp": "07"}
"""The state of a socket that hears whoever comes."""
_TEMPORARY = 32768
"""From here on Linux gives ports to outgoing traffic, each for a moment."""


def found(tables: Path = Path("/proc/net")) -> Sequence[HostPort]:
    """Each once, in order; without those that come and go with outgoing traffic. What cannot be read has none."""
    return sorted(
        {port for protocol, names in _TABLES.items() for name in names for port in _read(tables / name, protocol)}
    )


def _read(table: Path, protocol: str) -> Iterator[HostPort]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        _, local, _, state, *_ = line.split()
        number = int(local.rpartition(":")[2], 16)
        if state == _WAITING[protocol] and number < _TEMPORARY:
            yield HostPort(protocol, number)
