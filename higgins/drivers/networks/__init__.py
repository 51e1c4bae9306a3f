"""What gives containers their networks."""
