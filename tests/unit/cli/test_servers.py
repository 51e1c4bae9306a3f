"""What all commands that stay promise."""

import resource

from higgins.cli import servers
from higgins.settings import Settings


def test_a_server_may_have_as_many_clients_as_the_machine_allows():
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    seen = []

    async def server() -> None:
        seen.append(resource.getrlimit(resource.RLIMIT_NOFILE))

    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before, most - 1), most))
    try:
        servers.run(Settings(), server())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))
    assert seen == [(most, most)]
