"""Which lines reach standard error, and that it is the old one afterwards."""

import os
import re

from data_pipelines.stderr_lines import lines_left_out

LEFT_OUT = b"""\
I0000 00:00:1795826770.162837   13076 port.cc:153] custom operations are on
normalizer.cc(51) LOG(INFO) precompiled_charsmap is empty. use identity normalization.
"""
PASSING = b"""\
E0000 00:00:1795826770.163284   13076 port.cc:153] this one is an error
Fatal Python error: Aborted
behind I0000 other words
"""


def test_lines_that_match_are_left_out_and_others_pass(capfd):
    before = os.fstat(2)
    with lines_left_out(re.compile(rb"I0000 |\w+\.cc\(\d+\) LOG\(INFO\)")):
        os.write(2, LEFT_OUT + PASSING + LEFT_OUT)
        os.write(2, b"without an end of line")
    os.write(2, b"\nafter\n")
    assert capfd.readouterr().err == f"{PASSING.decode()}without an end of line\nafter\n"
    assert os.path.samestat(before, os.fstat(2))
