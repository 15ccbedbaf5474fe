"""How this process returns memory to the system: on a CPU, it should not between two steps."""

import ctypes
import os
import pathlib
import platform

SETTINGS = {
    "MALLOC_ARENA_MAX": (-8, 1),
    "MALLOC_MMAP_MAX_": (-4, 0),
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),
    "MALLOC_TOP_PAD_": (-2, 256 * 2**20),
}
"""Environment variable of glibc -> the same parameter's number for mallopt(3), and its value."""


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
    return all([mallopt(number, value) for number, value in SETTINGS.values()])


def use_cpu_without_accelerator() -> None:
    """Says CPU to JAX where no accelerator is, which silences the libtpu search of a machine that has none."""
    has_gpu = pathlib.Path("/dev/nvidia0").exists() or pathlib.Path("/dev/kfd").exists()
    has_tpu = pathlib.Path("/dev/accel0").exists() or pathlib.Path("/dev/vfio/0").exists()
    if not has_gpu and not has_tpu:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
