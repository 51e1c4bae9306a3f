"""The public HTTP API as a program calls it; knows nothing of the rest of the house but how failures are sorted."""
