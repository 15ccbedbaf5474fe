"""Manipulation tasks of dm_control: a Jaco arm, bricks and boxes."""
