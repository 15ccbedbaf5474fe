"""`python -m gato_jax.cli`."""

from gato_jax.cli import main

main()
