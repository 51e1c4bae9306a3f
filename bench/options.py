"""The options that measurements share."""

from pathlib import Path

import click

socket = click.option(
    "--socket", default="/var/run/docker.sock", show_default=True, help="Socket of the Docker Engine."
)
kept = click.option("--json", "kept", type=click.Path(path_type=Path), help="Write all values there.")
