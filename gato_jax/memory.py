"""How this process returns memory to the system: on a CPU, it should not between two steps."""

import ctypes
import platform

# Of mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tells glibc to keep freed memory for the next allocation instead of unmapping it.

    XLA on CPU allocates a step's temporaries anew in every step. By default glibc maps and unmaps blocks that large,
    and every page of them costs a fault (`benchmarks/quickstart_step.py`, with and without `--keep-memory`). All
    threads share one arena, as glibc maps what does not fit into the 64 MiB of a thread's own, whatever it is told of
    mappings. So call it before there are threads. The process keeps what it once took (docs/design.md has figures).

    Returns:
      Whether the C library took the settings; False where it is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {_ARENA_MAX: 1, _MMAP_MAX: 0, _TRIM_THRESHOLD: _LARGEST, _TOP_PAD: 256 * 2**20}
    return all([mallopt(name, value) for name, value in settings.items()])
