"""The `higgins` command."""
