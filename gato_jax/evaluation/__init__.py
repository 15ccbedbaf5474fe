"""Scoring trained weights in their environments, and the report a person reads. Imports no TensorFlow."""
