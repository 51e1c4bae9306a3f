"""The OpenAPI 3.1 document of the Containers API, made from the definitions that requests are checked with."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from higgins import __version__
from higgins.api.zun import envelope, microversion, parameters, values
from higgins.api.zun.routes import ROUTES, Route

Describe = Callable[[Any], dict[str, Any]]


def document(bounds: values.Bounds) -> bytes:
    """The document, as JSON."""
    asked = [route.form.params for route in ROUTES]
    given = [route.gives for route in ROUTES if route.gives is not None]
    kinds = [*asked, *given, envelope.Refusals]
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
            "parameters": {"version": _VERSION},
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

_BYTES = {"type": "string", "format": "binary"}


def _operation(route: Route, describe: Describe, components: Mapping[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Success."}
    if route.gives is not None:
        success["content"] = {"application/json": {"schema": describe(route.gives)}}
    if route.raw is not None:
        success["content"][route.raw] = {"schema": _BYTES}
    operation: dict[str, Any] = {
        "operationId": "-".join([route.method.lower(), *re.findall(r"\w+", route.path)]),
        "summary": (route.verb.__doc__ or "").strip(),
        "parameters": _parameters(route, components),
        "responses": {
            str(route.ok): success,
            "default": {
                "description": "The request was refused; the title says why.",
                "content": {"application/json": {"schema": describe(envelope.Refusals)}},
            },
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


def _parameters(route: Route, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    if route.versioned:
        found.append({"$ref": "#/components/parameters/version"})
    properties = components[route.form.params.__name__]["properties"]
    allowed = properties if route.form.query is None else route.form.query
    # None is required here, even where the form requires it: it may stand in the body.
    return found + [{"name": name, "in": "query", "schema": properties[name]} for name in allowed]
