"""What we run: one file per experiment, each with its command, expected time and expected result."""
