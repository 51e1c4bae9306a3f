"""An HTTP server that does nothing: every path is answered with as many bytes as its last number says."""

import asyncio
import sys

from aiohttp import web


async def _answer(request: web.Request) -> web.Response:
    size = int(request.path.rpartition("/")[2])
    return web.Response(body=bytes(size), content_type="application/json")


async def _serve(port: int) -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
