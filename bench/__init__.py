"""Measurements, each beside the floor in the same interleaved run: what the Docker Engine alone needs for the same."""
