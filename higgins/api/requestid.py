"""Gives every request an id, and every response the header that tells it."""

import uuid

from aiohttp import web
from aiohttp.typedefs import Handler

from higgins.model.ids import RequestId

HEADER = "x-openstack-request-id"
KEY = web.RequestKey("request_id", RequestId)


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every handler finds the id under KEY; it is also the id of the action that the request causes."""
    request[KEY] = RequestId(f"req-{uuid.uuid4()}")
    return await handler(request)


async def stamp(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """For `on_response_prepare`, so that streamed answers and aiohttp's own refusals carry the header as well."""
    if KEY in request:
        response.headers[HEADER] = request[KEY]
