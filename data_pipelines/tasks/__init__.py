"""SeqIO tasks of a data directory, one file per kind of source. Nothing is registered by importing."""
