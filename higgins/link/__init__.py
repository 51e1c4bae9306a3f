"""The wire between the control plane and its hosts: messages, encryption, streams. No SQL."""

import os

# grpc writes every stranger's failed handshake to standard error, in a form of its own; what concerns us is raised and logged. Read when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
