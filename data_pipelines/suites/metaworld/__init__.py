"""Meta-World manipulation tasks."""
