"""Files that are copied beside exported weights. None of them imports this package, JAX or TensorFlow."""
