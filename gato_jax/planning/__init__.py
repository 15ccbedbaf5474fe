"""Planning: the real training step compiled for hardware that is not there, and what that tells."""
