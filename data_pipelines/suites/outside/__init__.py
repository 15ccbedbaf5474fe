"""Worlds and experts from outside this package: named, imported by consent, adapted to `Environment`, and checked."""
