"""Gymnasium-Robotics: Fetch, the Shadow hand, Adroit, mazes and the Franka kitchen."""
