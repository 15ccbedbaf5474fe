"""TensorFlow twins of the NumPy tokenizers, for use inside tf.data pipelines. They agree bit for bit."""
