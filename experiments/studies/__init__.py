"""Studies of mixture ratios: each file has a function `study(*, directory)`."""
