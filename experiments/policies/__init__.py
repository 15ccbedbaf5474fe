"""Trains the small policies that demonstrate where planning fails (`data_pipelines.suites.trained`)."""
