"""The commands for tenants: docker's habits over the public API."""
