"""Every row of the table, in every version that it speaks of."""

import json
from collections.abc import Iterator
from urllib.parse import unquote

from tests.compat import shapes
from tests.compat.ground import Ground
from tests.compat.kinds import View
from tests.compat.table import ADMIN, Refused, Row, expected, tried
from tests.compat.wire import Answer


def test_an_endpoint_answers_as_its_row_says(there: Ground, row: Row) -> None:
    wrong = [
        f"in 1.{minor} {complaint}" for minor in tried(row, there.newest) for complaint in _asked(there, row, minor)
    ]
    assert not wrong, "\n".join(wrong)


def _asked(there: Ground, row: Row, minor: int) -> Iterator[str]:
    answer = there.ask(
        row.who,
        row.method,
        there.filled(row.path),
        minor=minor,
        query=there.filled(row.query),
        body=there.filled(row.body),
        headers=there.filled(row.headers),
    )
    for complaint in _complaints(there, row, minor, answer):
        yield f"{complaint}; {answer.status}: {answer.content[:300]!r}"
    there.forget(row.who, answer)


def _complaints(there: Ground, row: Row, minor: int, answer: Answer) -> Iterator[str]:
    refused = expected(row, minor)
    if there.upstream and row.zun is not None and refused is None:
        # What is wrong there has no shape to rely on.
        if answer.status != row.zun.status:
            yield f"the status is not {row.zun.status}"
        return
    status = refused.status if refused else row.status
    if answer.status != status:
        yield f"the status is not {status}"
        return
    yield from _headers(minor, answer)
    if status >= 400:
        yield from _refusal(there, refused or Refused(status=row.status, code=row.code, names=row.names), answer)
    else:
        yield from _success(there, row, minor, answer)


def _headers(minor: int, answer: Answer) -> Iterator[str]:
    if not answer.headers.get("x-openstack-request-id", "").startswith("req-"):
        yield "there is no id of the request"
    # Who is refused before anybody looked at what they want is told no version.
    if answer.status in (401, 405, 406) or (answer.status == 404 and answer.refusal.get("code") == "container."):
        if "openstack-api-version" in answer.headers:
            yield "it tells a version that it is not in"
        return
    told = {
        "openstack-api-version": f"container 1.{minor}",
        "openstack-api-minimum-version": "container 1.1",
        "vary": "OpenStack-API-Version",
    }
    yield from (
        f"the header {name} is not {value}" for name, value in told.items() if answer.headers.get(name) != value
    )
    if not answer.headers.get("openstack-api-maximum-version", "").startswith("container 1."):
        yield "it does not tell the newest version"


def _refusal(there: Ground, refused: Refused, answer: Answer) -> Iterator[str]:
    if refused.status == 401:
        yield from shapes.UNAUTHORIZED.complaints(answer.body, View(1), "it")
        if not answer.headers.get("www-authenticate", "").startswith("Keystone uri="):
            yield "nobody is told where to log in"
        return
    yield from shapes.REFUSALS.complaints(answer.body, View(1), "it")
    refusal = answer.refusal
    if refusal.get("status") != refused.status:
        yield "the body has another status"
    if refused.code is not None and refusal.get("code") != refused.code:
        yield f"the code is {refusal.get('code')} and not {refused.code}"
    # Upstream has the bare words of a JSON schema for some.
    if refused.names is not None and not there.upstream and refused.names not in refusal.get("detail", ""):
        yield f"the sentence does not name {refused.names}"


def _success(there: Ground, row: Row, minor: int, answer: Answer) -> Iterator[str]:
    if answer.status == 204 and (answer.content or "content-type" in answer.headers):
        yield "a 204 has a body"
    if answer.status in (201, 202) and row.path in _CREATES:
        where, _, made = answer.headers.get("location", "").rpartition("/")
        if not where.endswith(f"/v1{row.path}") or made not in answer.content.decode():
            yield f"what was made is not at {unquote(where)}/{made}"
    if row.gives is not None:
        yield from row.gives.complaints(answer.body, View(minor, admin=row.who == ADMIN), "it")
    for name, value in row.shows.items():
        shown = answer.body.get(name) if isinstance(answer.body, dict) else None
        if shown != there.filled(value):
            yield f"{name} is {json.dumps(shown)} and not {json.dumps(value)}"


_CREATES = ("/containers", "/images", "/registries", "/security_groups", "/capsules", "/volumes")
