"""Small networks that were trained to act in one body each, and how they act: NumPy alone."""
