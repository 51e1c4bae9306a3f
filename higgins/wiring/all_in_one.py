"""All-in-one: the control plane and one agent in one process, over the same link as anywhere."""

import logging

from higgins.settings import Settings
from higgins.wiring import control, host

log = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """`higgins all-in-one`, until cancelled."""
    async with control.plane_of(settings, embedded=True) as listening:
        log.info("the Containers API answers at %s/v1, the login at %s/identity/v3", listening.url, listening.url)
        await host.run_beside(settings, control.link_socket(settings))
