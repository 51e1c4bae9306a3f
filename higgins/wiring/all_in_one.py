"""All-in-one: the control plane and one agent in one process, over the same link as anywhere, of which live streams stay within the process."""

from dataclasses import replace

from higgins.settings import Settings
from higgins.wiring import control, host


async def run(settings: Settings) -> None:
    """`higgins all-in-one`, until cancelled."""
    if settings.networks.provider == "auto" and not host.has_networks(settings):
        settings = replace(settings, networks=replace(settings.networks, provider="none"))
    async with control.plane_of(settings, embedded=True) as near:
        await host.run_beside(settings, control.link_socket(settings), near)
