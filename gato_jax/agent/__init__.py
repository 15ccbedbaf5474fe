"""Acting with trained weights: cached decoding, environment policies, text generation. Imports no TensorFlow."""
