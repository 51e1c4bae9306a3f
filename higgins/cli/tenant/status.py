"""A container's state in the few words of a list: how long it runs, how it ended, what it waits for."""

from collections.abc import Mapping
from typing import Any

from higgins.cli.table import Coloured
from higgins.cli.tenant import moments, sizes

SETTLED = frozenset({"Created", "Running", "Stopped", "Paused", "Error", "Dead", "Deleted", "Unknown"})
AT_REST = frozenset({"Created", "Stopped", "Error", "Dead", "Deleted"})
"""Not shown by `ps` unless it is asked for all."""
_COLOURS = {"Running": "green", "Error": "red", "Dead": "red", "Unknown": "red", "Paused": "cyan"}


def cell(one: Mapping[str, Any], now: float) -> Coloured | str:
    """The words, in the colour of its state."""
    colour = _COLOURS.get(one["status"], "" if one["status"] in AT_REST else "yellow")
    if (one.get("health") or {}).get("status") == "unhealthy" and one["status"] == "Running":
        colour = "red"
    said = words(one, now)
    return Coloured(said, colour) if colour else said


def words(one: Mapping[str, Any], now: float) -> str:
    """In docker's words where it has some."""
    match one["status"]:
        case "Running":
            return f"Up {_since(one, 'started_at', now)}{_health(one)}"
        case "Paused":
            return f"Up {_since(one, 'started_at', now)} (paused)"
        case "Stopped":
            return _ended(one, now)
        case "Error":
            return f"Error: {one['status_reason']}" if one.get("status_reason") else "Error"
        case "Creating" | "Rebuilding" as status:
            return f"{status}{_progress(one)}"
        case status:
            reason = one.get("status_reason")
            return f"{status}: {reason}" if reason else str(status)


def _since(one: Mapping[str, Any], field: str, now: float) -> str:
    began = moments.read(one.get(field))
    if began is None:
        return str(one.get("status_detail") or "").removeprefix("Up ").removesuffix(" (paused)") or "a moment"
    return moments.lasted(now - began)


def _ended(one: Mapping[str, Any], now: float) -> str:
    finished = moments.read(one.get("finished_at"))
    if finished is None:
        return str(one.get("status_detail") or "Stopped").strip()
    code = one.get("exit_code")
    return f"Exited ({'?' if code is None else code}) {moments.ago(now - finished)}"


def _health(one: Mapping[str, Any]) -> str:
    health = one.get("health")
    match health and health.get("status"):
        case None:
            return ""
        case "starting":
            return " (health: starting)"
        case word:
            return f" ({word})"


def _progress(one: Mapping[str, Any]) -> str:
    told = one.get("progress")
    if not told:
        return ""
    if told.get("size"):
        return f": {sizes.decimal(told['done'])} of {sizes.decimal(told['size'])}"
    return f": {told['layers_done']} of {told['layers']} layers"
