"""What the flow tests over HTTP share."""

from tests.flow.town import town

__all__ = ["town"]
