"""What Higgins asks of the world; drivers answer."""
