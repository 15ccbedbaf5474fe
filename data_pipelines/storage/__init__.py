"""A data directory on disk: claimed, locked, found, checked."""
