"""The front door of the hosts."""
