"""A server of actions for robots and simulators, and its client. No TensorFlow; the client needs no JAX."""
