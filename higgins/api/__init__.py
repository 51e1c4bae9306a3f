"""The front doors: each translates one outside language into the service's verbs, and decides nothing."""
