"""All-in-one: the control plane and one agent in one process, over the same link as anywhere, of which live streams stay within the process."""

from higgins.settings import Settings
from higgins.wiring import control, host


async def run(settings: Settings) -> None:
    """`higgins all-in-one`, until cancelled."""
    async with control.plane_of(settings, embedded=True) as near:
        await host.run_beside(settings, control.link_socket(settings), near)
