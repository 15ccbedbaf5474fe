"""From the world to token sequences: environments, experts, recording, tokenizers, tasks, mixtures.

This package never imports jax (SeqIO and TFDS do so themselves); `gato_jax` builds on it.
"""
