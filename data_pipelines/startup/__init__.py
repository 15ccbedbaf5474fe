"""What importing the packages does to a process: names wait for their use, and TensorFlow does not greet."""
