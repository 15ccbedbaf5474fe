"""One file for each format of exports."""
