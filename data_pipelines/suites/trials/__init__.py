"""Whether worlds of the catalog run: each is reset, stepped and drawn in a process that may die."""
