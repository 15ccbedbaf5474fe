"""The network: embeddings, attention, the decoder, and Gato itself."""
