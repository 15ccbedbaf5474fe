"""Read-only views of data: what a mixture holds, what a batch shows."""
