"""The table: one file for each resource. A resource that comes adds its file here."""

from collections.abc import Iterable, Iterator

from tests.compat.rows import (
    capsules,
    containers,
    creation,
    hosts,
    images,
    live,
    networks,
    quotas,
    registries,
    routing,
    security_groups,
    volumes,
)
from tests.compat.table import Parameter, Row


def _flat(*tables: Iterable[Row | Parameter]) -> Iterator[Row]:
    for rows in tables:
        for one in rows:
            if isinstance(one, Parameter):
                yield from one.rows()
            else:
                yield one


ROWS: tuple[Row, ...] = tuple(
    _flat(
        routing.ROWS,
        creation.ROWS,
        containers.ROWS,
        capsules.ROWS,
        live.ROWS,
        networks.ROWS,
        registries.ROWS,
        volumes.ROWS,
        security_groups.ROWS,
        images.ROWS,
        hosts.ROWS,
        quotas.ROWS,
    )
)
