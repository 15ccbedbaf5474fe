"""Tokenising once: files of tokens beside the recorded data, in SeqIO's cache layout, and the source that reads them.

A cached file holds the tokenised examples of one recorded file, in the same order, so that a stream deals, shuffles and
cuts both alike: cached or not, it gives the same batches. What depends on chance is left to the stream.
"""
