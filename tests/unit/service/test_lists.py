"""What a list may be asked for."""

from pathlib import Path

import pytest

from higgins import errors
from higgins.model.identity import Caller
from higgins.model.ids import ProjectId, UserId
from higgins.model.query import Query
from higgins.service.containers import Containers
from higgins.service.hints import Hints
from higgins.service.policy import Policy
from higgins.store import schema
from higgins.store.database import Database

ME = Caller(user_id=UserId("me"), project_id=ProjectId("mine"), roles=frozenset({"member", "reader"}))


@pytest.mark.parametrize("query", [Query(filters={"image": ["busybox"]}), Query(sort_key="image")])
async def test_what_a_caller_may_not_see_is_not_found_out_by_filters_or_order(tmp_path: Path, query: Query) -> None:
    rules = tmp_path / "policy.yaml"
    rules.write_text('"container:get_one:image": "role:admin"\n')
    database = Database(f"sqlite:///{tmp_path}/store.sqlite")
    database.open()
    schema.upgrade(database)
    try:
        for policy, refused in ((Policy(), False), (Policy(rules), True)):
            containers = Containers(database, policy, Hints())
            if refused:
                with pytest.raises(errors.Forbidden, match="container:get_one:image"):
                    await containers.list(ME, query)
            else:
                assert (await containers.list(ME, query)).items == ()
    finally:
        database.close()
