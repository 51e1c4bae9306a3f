"""What the client promises about a stream of events."""

import pytest

from higgins import errors
from higgins.client.events import Block, blocks, follow
from tests.unit.client.stub import Asked, Given, serving


def test_blocks_are_the_same_wherever_the_pieces_are_cut():
    text = b': hello\nid: 3\n\nid: 4\nevent: status\ndata: {"a":\ndata: 1}\n\nid: 5\ndata: half'
    whole = [Block("3", None), Block("4", '{"a":\n1}')]
    for size in range(1, len(text)):
        assert list(blocks(text[at : at + size] for at in range(0, len(text), size))) == whole


def test_a_stream_that_breaks_off_is_taken_up_after_what_was_seen_last():
    def second(asked: Asked) -> Given:
        assert "since=8" in asked.target
        return Given(200, b'id: 9\ndata: {"n": 9}\n\n')

    first = Given(200, b'id: 7\ndata: {"n": 7}\n\n: nothing new\nid: 8\n\n', {"Content-Type": "text/event-stream"})
    with serving(first, second) as server:
        story = follow(server.cloud(), {"container": "web"})
        assert [next(story)["n"], next(story)["n"]] == [7, 9]
    assert server.asked[0].target == "/v1/events?container=web"
    assert server.asked[0].headers["Accept"] == "text/event-stream"


def test_a_server_that_is_not_there_to_begin_with_is_not_waited_for():
    with serving(Given(503, {"errors": [{"detail": "Not now."}]})) as server:
        with pytest.raises(errors.Unavailable, match="Not now"):
            next(follow(server.cloud(), {}))
    assert len(server.asked) == 1
