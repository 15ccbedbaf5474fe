"""What a recording is going to do: which tasks, in which parts, and what that takes."""
