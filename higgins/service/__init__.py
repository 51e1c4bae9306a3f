"""The verbs: check, decide, write in one transaction, return. They never wait for a host, live calls excepted."""
