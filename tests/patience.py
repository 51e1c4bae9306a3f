"""How long tests wait for what is sure to come: a machine that has other work, or stands still for a while, breaks no promise."""

PATIENCE = 20.0
"""Seconds."""
