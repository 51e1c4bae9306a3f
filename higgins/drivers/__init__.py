"""What answers the protocols: one folder per protocol, one module per technology, strangers to each other."""
