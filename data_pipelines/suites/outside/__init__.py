"""Worlds and experts from outside: named, imported by consent, adapted to `Environment`, and checked.

The adapters serve our own suites of foreign environments too.
"""
