"""Importing: data on disk, in the layouts that others use, to task directories as recording writes them."""
