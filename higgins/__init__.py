"""Higgins runs containers for many tenants, on one machine or on thousands."""

__version__ = "0.1.0"
