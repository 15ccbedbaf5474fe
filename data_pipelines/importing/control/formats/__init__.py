"""One reader for each layout of control episodes on disk."""
