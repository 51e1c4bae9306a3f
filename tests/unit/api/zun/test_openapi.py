"""The served document describes every route, and is what it says it is."""

import json

import openapi_spec_validator

from higgins.api.zun import openapi, values
from higgins.api.zun.routes import ROUTES

DOCUMENT = json.loads(openapi.document(values.Bounds()))


def test_the_document_is_valid_openapi_3_1():
    assert DOCUMENT["openapi"].startswith("3.1")
    openapi_spec_validator.validate(DOCUMENT)


def test_every_route_is_an_operation_of_the_document():
    described = {
        (method.upper(), path.removeprefix("/v1")) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == {(route.method, route.path.removeprefix("/v1")) for route in ROUTES}


def test_the_bounds_of_the_deployment_are_in_the_document():
    document = json.loads(openapi.document(values.Bounds(maximum_memory=77)))
    memory = document["components"]["schemas"]["CreateContainer"]["properties"]["memory"]
    assert '"maximum": 77' in json.dumps(memory)


def test_whatever_the_forms_take_is_in_the_document():
    for route in ROUTES:
        path = route.path if not route.versioned or route.path == "/v1" else f"/v1{route.path}"
        operation = DOCUMENT["paths"][path][route.method.lower()]
        query = {one["name"] for one in operation["parameters"] if one.get("in") == "query"}
        assert query == set(route.form.names if route.form.query is None else route.form.query)
        if route.method in ("POST", "PATCH") and route.form.names:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": f"#/components/schemas/{route.form.params.__name__}"}


def test_only_the_public_documents_need_no_token():
    free = {path for path, item in DOCUMENT["paths"].items() for one in item.values() if one["security"] == []}
    assert free == {"/", "/v1", "/healthcheck", "/openapi.json"}
