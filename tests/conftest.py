"""Settings of the whole test run."""

import os

# Before anything imports dm_control: TensorFlow and an OpenGL renderer cannot share a process, and tests use both
# floors in one. What renders starts a process of its own.
os.environ["MUJOCO_GL"] = "disabled"
