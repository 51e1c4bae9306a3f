"""The OpenAPI 3.1 document of the Containers API, made from the definitions that requests are checked with."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from higgins import __version__
from higgins.api.zun import dryrun, envelope, microversion, parameters, repeats, values
from higgins.api.zun.routes import ROUTES, Route

Describe = Callable[[Any], dict[str, Any]]


def document(bounds: values.Bounds) -> bytes:
    """The document, as JSON."""
    asked = [route.form.params for route in ROUTES]
    given = [route.gives for route in ROUTES if route.gives is not None]
    kinds = [*asked, *given, dryrun.DryRun, envelope.Refusals, envelope.Unauthorized]
    schemas, components = msgspec.json.schema_components(
        kinds, schema_hook=values.describer(bounds), ref_template="#/components/schemas/{name}"
    )
    known = list(zip(kinds, schemas, strict=True))
    _tell_of_versions(components)

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
            "description": _INTRODUCTION,
            "x-higgins-version": __version__,
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {str(int(status)): _refusal(status, told, describe) for status, told in _REFUSALS.items()},
            "headers": _HEADERS,
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
            "parameters": {"version": _VERSION, "key": _KEY},
        },
    }
    return msgspec.json.encode(whole)


_INTRODUCTION = (
    "Parameters of POST, PUT, PATCH and DELETE may stand in the query or in the body; the body has the last word. "
    "null means the same as leaving a key out. HEAD is answered wherever GET is. Empty segments of a path count for nothing."
)

_REFUSALS: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The request cannot be understood or breaks a rule.",
    HTTPStatus.UNAUTHORIZED: "The token is missing or not valid; the header says where to log in.",
    HTTPStatus.FORBIDDEN: "Policy or a quota does not allow it.",
    HTTPStatus.NOT_FOUND: "Something that was named is not there, or not the caller's to see.",
    HTTPStatus.NOT_ACCEPTABLE: "The version is not offered, or this does not exist in it.",
    HTTPStatus.CONFLICT: "The present state does not allow it now.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body must be JSON.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The service is at fault; its log knows more under the id that is told.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something that is needed is not there now: try again after the time that is told.",
}

_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "X-Openstack-Request-Id": {
        "description": "The id of the request: the same in the service's log, and of the action that it caused.",
        "required": True,
        "schema": {"type": "string", "pattern": "^req-[0-9a-f-]{36}$"},
    },
    microversion.HEADER: {
        "description": "The version that this was answered in.",
        "required": True,
        "schema": {"type": "string", "pattern": "^container 1\\.[0-9]+$"},
    },
    "OpenStack-API-Minimum-Version": {"required": True, "schema": {"const": f"container {microversion.MIN}"}},
    "OpenStack-API-Maximum-Version": {"required": True, "schema": {"const": f"container {microversion.MAX}"}},
    "WWW-Authenticate": {
        "description": "Where to log in.",
        "required": True,
        "schema": {"type": "string", "pattern": "^Keystone uri="},
    },
    "Retry-After": {
        "description": "Seconds after which another try makes sense.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "Location": {"description": "What was made.", "required": True, "schema": {"type": "string", "format": "uri"}},
    "X-Container-Path-Stat": {
        "description": "With the archive itself: what is at the path, as JSON in base64.",
        "schema": {"type": "string"},
    },
    repeats.REPLAYED: {"description": "This was answered before.", "schema": {"const": "true"}},
}

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


def _tell_of_versions(components: Mapping[str, Any]) -> None:
    """What a field is from which version on, and what of it is not offered, is said where the field is described."""
    for form in {id(route.form): route.form for route in ROUTES}.values():
        fields = components[form.params.__name__]["properties"]
        for name, since in {**{gate.field: gate.since for gate in form.gates}, **form.since}.items():
            fields[name]["description"] = f"From version {since} on. {fields[name]['description']}"
        for one in form.unoffered:
            fields[one.field]["description"] += f" Not offered by this deployment yet: {one.what}."


def _operation(route: Route, describe: Describe, components: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "-".join([route.method.lower(), *re.findall(r"\w+", route.path)]),
        "summary": (route.verb.__doc__ or "").strip(),
        "parameters": _parameters(route, components),
        "responses": {
            str(route.ok): _success(route, describe),
            **({"200": _rehearsal(describe)} if route.dry else {}),
            **{str(int(status)): {"$ref": f"#/components/responses/{int(status)}"} for status in _refusals(route)},
        },
        "security": [] if route.public else [{"token": []}],
    }
    if _has_body(route):
        # The same parameters may stand in the query instead: clients of Zun send either.
        content = {parameters.JSON: {"schema": describe(route.form.params)}}
        if route.takes is not None:
            content[route.takes] = {"schema": _BYTES}
        operation["requestBody"] = {"required": route.json_only, "content": content}
    if (route.min, route.max) != (microversion.MIN, microversion.MAX):
        again = f", and again from {route.again} on" if route.again else ""
        operation["description"] = f"From version {route.min} to {route.max}{again}."
    return operation


def _has_body(route: Route) -> bool:
    return route.method in parameters.WITH_BODY and bool(route.form.names)


def _refusals(route: Route) -> list[HTTPStatus]:
    """With which statuses a request can be refused."""
    # A document that anybody may read is always there.
    asks = not route.public or bool(route.form.names)
    can = {
        HTTPStatus.BAD_REQUEST: asks,
        HTTPStatus.UNAUTHORIZED: not route.public,
        HTTPStatus.FORBIDDEN: asks,
        HTTPStatus.NOT_FOUND: asks,
        HTTPStatus.NOT_ACCEPTABLE: route.versioned,
        HTTPStatus.CONFLICT: asks,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _has_body(route),
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: route.json_only,
        HTTPStatus.INTERNAL_SERVER_ERROR: True,
        HTTPStatus.SERVICE_UNAVAILABLE: asks,
    }
    return [status for status, possible in can.items() if possible]


def _refusal(status: HTTPStatus, told: str, describe: Describe) -> dict[str, Any]:
    body = envelope.Unauthorized if status == HTTPStatus.UNAUTHORIZED else envelope.Refusals
    headers = ["X-Openstack-Request-Id"]
    match status:
        case HTTPStatus.UNAUTHORIZED:
            headers.append("WWW-Authenticate")
        case HTTPStatus.CONFLICT | HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append("Retry-After")
    return {
        "description": told,
        "headers": _headers(*headers),
        "content": {parameters.JSON: {"schema": describe(body)}},
    }


def _success(route: Route, describe: Describe) -> dict[str, Any]:
    headers = ["X-Openstack-Request-Id", *(_SPOKEN if route.versioned else ())]
    if route.method == "POST":
        headers.append(repeats.REPLAYED)
    if route.json_only:
        headers.append("Location")
    if route.raw == _TAR:
        headers.append("X-Container-Path-Stat")
    match route.ok:
        case HTTPStatus.NO_CONTENT:
            return {"description": "Done; there is no body.", "headers": _headers(*headers)}
        case HTTPStatus.SWITCHING_PROTOCOLS:
            return {"description": "From here on it is a WebSocket."}
    content: dict[str, Any] = {}
    if route.gives is not None:
        content[parameters.JSON] = {"schema": describe(route.gives)}
    elif route.raw is None:
        content[parameters.JSON] = {"schema": {"type": "null"}}
    if route.raw is not None:
        content[route.raw] = {"schema": _BYTES if route.raw == _TAR else {"type": "string"}}
    return {"description": "Success.", "headers": _headers(*headers), "content": content}


def _rehearsal(describe: Describe) -> dict[str, Any]:
    return {
        "description": "To a dry run: what would happen.",
        "headers": _headers("X-Openstack-Request-Id", *_SPOKEN),
        "content": {parameters.JSON: {"schema": describe(dryrun.DryRun)}},
    }


_SPOKEN = (microversion.HEADER, "OpenStack-API-Minimum-Version", "OpenStack-API-Maximum-Version")
_TAR = "application/x-tar"


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _parameters(route: Route, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "description": _NAMES[name], "schema": {"type": "string"}}
        for name in names
    ]
    if route.versioned:
        found.append({"$ref": "#/components/parameters/version"})
    if route.method == "POST":
        found.append({"$ref": "#/components/parameters/key"})
    properties = components[route.form.params.__name__]["properties"]
    allowed = properties if route.form.query is None else route.form.query
    # None is required here, even where the form requires it: it may stand in the body.
    return found + [_parameter(name, properties[name]) for name in allowed]


_NAMES = {
    "container": "A container, by id or name.",
    "capsule": "A capsule, by id or name.",
    "request_id": "The id of the request that asked for it.",
    "host": "A host, by id or name; of a service, by name.",
    "image": "An image, by id.",
    "registry": "A registry, by id or name.",
    "volume": "A volume, by id or name.",
    "network": "A network, by id or name.",
    "group": "A security group, by id or name.",
    "project": "A project, by id.",
    "quota_class": "A quota class, by name; `default` holds for every project that has no limits of its own.",
    "name": "What is searched for, with or without a registry's domain in front. May have slashes.",
}
"""What stands in paths."""


def _parameter(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A query has no null in it."""
    plain = {key: value for key, value in schema.items() if key not in ("description", "default")}
    if "anyOf" in plain:
        kinds = [one for one in plain["anyOf"] if one != {"type": "null"}]
        plain = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return {"name": name, "in": "query", "description": schema["description"], "schema": plain}
