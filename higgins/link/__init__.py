"""The wire between the control plane and its hosts: messages, encryption, streams. No SQL."""
