"""Mixture-ratio studies: designs over the simplex, sweeps that share a directory, mixing laws, proposals."""
