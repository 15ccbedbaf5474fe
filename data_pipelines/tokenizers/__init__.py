"""NumPy tokenizers of single modalities; `tokenizers.tf` holds twins that agree bit for bit.

Nothing here imports TensorFlow, so what runs on a robot stays light.
"""
