"""The numbers of a run, out of the loop."""
