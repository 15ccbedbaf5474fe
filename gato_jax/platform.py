"""What this process is told of memory and devices."""

import ctypes
import glob
import platform
import sys
from types import ModuleType

from data_pipelines.startup.import_hook import Execute, around_import
from data_pipelines.startup.quiet import has_gpu

SETTINGS = {
    "MALLOC_ARENA_MAX": (-8, 1),
    "MALLOC_MMAP_MAX_": (-4, 0),
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),
    "MALLOC_TOP_PAD_": (-2, 256 * 2**20),
}
"""Environment variable of glibc -> the same parameter's number for mallopt(3), and its value."""

TPUS = ("/dev/accel[0-9]*", "/dev/vfio/[0-9]*")
"""Files of a TPU: those of older drivers, and of newer."""


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


def has_accelerator() -> bool:
    """Whether this machine shows a GPU or a TPU."""
    return has_gpu() or any(glob.glob(pattern) for pattern in TPUS)


def use_cpu_without_accelerator() -> None:
    """Has JAX use the CPU where no accelerator is, which silences the libtpu search of a machine that has none.

    Nothing changes where JAX_PLATFORMS is set, or JAX was told by `jax.config`. The environment stays as it is: a job
    that this process submits may run where an accelerator is.
    """
    if has_accelerator():
        return
    around_import("jax", _on_cpu)
    if "jax" in sys.modules:
        _on_cpu(lambda module: None, sys.modules["jax"])


def _on_cpu(execute: Execute, jax: ModuleType) -> None:
    execute(jax)
    if jax.config.jax_platforms is None:
        jax.config.update("jax_platforms", "cpu")
