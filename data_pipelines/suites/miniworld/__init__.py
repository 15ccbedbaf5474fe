"""MiniWorld: rooms and mazes seen through the agent's eyes."""
