"""Capsules over HTTP, through the real service, loops and agent, with a runtime in memory."""
