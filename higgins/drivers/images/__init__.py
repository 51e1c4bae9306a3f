"""Where a host finds and fetches images."""
