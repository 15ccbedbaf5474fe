"""glibc takes the settings, and large blocks then come from the heap instead of a mapping of their own."""

import platform
import subprocess
import sys

import pytest

CODE = """
import numpy, sys
from gato_jax.memory import keep_freed_memory
assert keep_freed_memory()
faults = lambda: int(open('/proc/self/stat').read().rpartition(')')[2].split()[7])
numpy.ones(2**24); start = faults()
for _ in range(10): numpy.ones(2**24)
sys.exit(faults() - start > 5000)  # 10 x 128 MiB anew would be 327,680 pages
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc: nothing to set")
def test_freed_memory_is_used_again():
    assert subprocess.run([sys.executable, "-c", CODE], check=False).returncode == 0
