"""Examples at the end of a command's help: what somebody who does not read the rest would copy."""


def of(*lines: str) -> str:
    """The help's last paragraph, each of the lines as it is."""
    return "\n".join(("\b", "For example:", *(f"  {line}" for line in lines)))
