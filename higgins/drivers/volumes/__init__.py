"""What mounts volumes on a host."""
