"""How this process returns memory to the system: on a CPU, it should not between two steps."""

import ctypes
import platform

# Of mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tells glibc to keep freed memory for the next allocation instead of unmapping it.

    XLA on CPU allocates a step's temporaries anew in every step. By default glibc maps and unmaps blocks that large,
    and keeping them took a fifth off of the quickstart's step (`benchmarks/quickstart_step.py`, with and without
    `--keep-memory`). Peak memory does not change: it is only not given back in between.

    Returns:
      Whether the C library took the settings; False where it is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {_MMAP_MAX: 0, _TRIM_THRESHOLD: _LARGEST, _TOP_PAD: 256 * 2**20}
    return all([mallopt(name, value) for name, value in settings.items()])
