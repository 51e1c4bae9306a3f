"""The OpenAPI 3.1 document of the Containers API, made from the definitions that requests are checked with."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from higgins import __version__
from higgins.api.zun import envelope, microversion, parameters, repeats, values
from higgins.api.zun.routes import ROUTES, Route

Describe = Callable[[Any], dict[str, Any]]


def document(bounds: values.Bounds) -> bytes:
    """The document, as JSON."""
    asked = [route.form.params for route in ROUTES]
    given = [route.gives for route in ROUTES if route.gives is not None]
    kinds = [*asked, *given, envelope.Refusals, envelope.Unauthorized]
    schemas, components = msgspec.json.schema_components(
        kinds, schema_hook=values.describer(bounds), ref_template="#/components/schemas/{name}"
    )
    known = list(zip(kinds, schemas, strict=True))

    def describe(kind: Any) -> dict[str, Any]:
        return next(schema for one, schema in known if one is kind)

    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        path = route.path if not route.versioned or route.path == "/v1" else f"/v1{route.path}"
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, describe, components)
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "Containers API",
            "version": f"{microversion.MAX}",
            "summary": "Run containers. Compatible with OpenStack Zun.",
            "x-higgins-version": __version__,
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
            "parameters": {"version": _VERSION, "key": _KEY},
        },
    }
    return msgspec.json.encode(whole)


_VERSION = {
    "name": microversion.HEADER,
    "in": "header",
    "description": f"The microversion, from `container {microversion.MIN}` (the default) to `container {microversion.MAX}`.",
    "schema": {
        "type": "string",
        "pattern": r"^container (1\.([1-9]|[123][0-9]|4[01])|latest)$",
        "examples": [f"container {microversion.MAX}", "container latest"],
    },
}

_KEY = {
    "name": repeats.HEADER,
    "in": "header",
    "description": "Of the caller's choice, from version 1.41 on: the same request with the same key is answered as it was the first time.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}

_BYTES = {"type": "string", "format": "binary"}


def _operation(route: Route, describe: Describe, components: Mapping[str, Any]) -> dict[str, Any]:
    refused = {"application/json": {"schema": describe(envelope.Refusals)}}
    operation: dict[str, Any] = {
        "operationId": "-".join([route.method.lower(), *re.findall(r"\w+", route.path)]),
        "summary": (route.verb.__doc__ or "").strip(),
        "parameters": _parameters(route, components),
        "responses": {
            str(route.ok): _success(route, describe),
            **({} if route.public else {"401": _unauthorized(describe)}),
            "default": {"description": "The request was refused; the title says why.", "content": refused},
        },
        "security": [] if route.public else [{"token": []}],
    }
    if route.method in parameters.WITH_BODY and route.form.names:
        # The same parameters may stand in the query instead: clients of Zun send either.
        content = {"application/json": {"schema": describe(route.form.params)}}
        if route.takes is not None:
            content[route.takes] = {"schema": _BYTES}
        operation["requestBody"] = {"required": route.json_only, "content": content}
    if (route.min, route.max) != (microversion.MIN, microversion.MAX):
        operation["description"] = f"From version {route.min} to {route.max}."
    return operation


def _success(route: Route, describe: Describe) -> dict[str, Any]:
    match route.ok:
        case HTTPStatus.NO_CONTENT:
            return {"description": "Done; there is no body."}
        case HTTPStatus.SWITCHING_PROTOCOLS:
            return {"description": "From here on it is a WebSocket."}
    content: dict[str, Any] = {}
    if route.gives is not None:
        content["application/json"] = {"schema": describe(route.gives)}
    elif route.raw is None:
        content["application/json"] = {"schema": {"type": "null"}}
    if route.raw is not None:
        content[route.raw] = {"schema": _BYTES if route.raw == "application/x-tar" else {"type": "string"}}
    described: dict[str, Any] = {"description": "Success.", "content": content}
    if route.method == "POST" and route.versioned:
        described["headers"] = {
            repeats.REPLAYED: {"description": "This was answered before.", "schema": {"const": "true"}}
        }
    return described


def _unauthorized(describe: Describe) -> dict[str, Any]:
    return {
        "description": "The token is missing or not valid; the header says where to log in.",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
        "content": {"application/json": {"schema": describe(envelope.Unauthorized)}},
    }


def _parameters(route: Route, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    if route.versioned:
        found.append({"$ref": "#/components/parameters/version"})
    if route.method == "POST":
        found.append({"$ref": "#/components/parameters/key"})
    properties = components[route.form.params.__name__]["properties"]
    allowed = properties if route.form.query is None else route.form.query
    # None is required here, even where the form requires it: it may stand in the body.
    return found + [_parameter(name, properties[name], route) for name in allowed]


def _parameter(name: str, schema: Mapping[str, Any], route: Route) -> dict[str, Any]:
    since = {**{gate.field: gate.since for gate in route.form.gates}, **route.form.since}.get(name)
    told = {"description": f"From version {since} on."} if since is not None and since > route.min else {}
    return {"name": name, "in": "query", **told, "schema": schema}
