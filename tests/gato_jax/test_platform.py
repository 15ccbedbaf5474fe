"""glibc takes the settings: large blocks come from the heap, in threads too; and JAX keeps what its user chose."""

import os
import platform
import subprocess
import sys

import pytest

CODE = """
import concurrent.futures, sys
from gato_jax.platform import keep_freed_memory
assert keep_freed_memory()
faults = lambda: int(open('/proc/self/stat').read().rpartition(')')[2].split()[7])
with concurrent.futures.ThreadPoolExecutor(1) as thread:
    run = lambda: {run}
    run(); start = faults()
    for _ in range(10): run()
sys.exit(faults() - start > 5000)  # 10 x 128 MiB anew would be 327,680 pages
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc: nothing to set")
@pytest.mark.parametrize(
    "run", ["len(b'x' * 2**27)", "thread.submit(lambda: len(b'x' * 2**27)).result()"], ids=["main", "thread"]
)
def test_freed_memory_is_used_again(run):
    assert subprocess.run([sys.executable, "-c", CODE.replace("{run}", run)], check=False).returncode == 0


@pytest.mark.parametrize("first", ["gato_jax", "jax"])
def test_a_platform_that_was_chosen_stays(first):
    code = f"import {first}, jax, gato_jax; print(jax.config.jax_platforms)"
    environment = {**os.environ, "JAX_PLATFORMS": "cuda,cpu", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "cuda,cpu\n"
