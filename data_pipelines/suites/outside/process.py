"""Processes in which worlds from outside are opened: what they find, and with what they may draw.

Worlds may draw pictures by OpenGL, which cannot share a process with TensorFlow. So no such process imports TensorFlow.
"""

import ctypes.util
import functools
import os
import signal
import sys
import sysconfig
from pathlib import Path

RENDERER = "GATO_RENDERER"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment variables of processes of which several run side by side."""
ROOT = str(Path(__file__).resolve().parents[3])


@functools.cache
def _has_egl() -> bool:
    return ctypes.util.find_library("EGL") is not None


def renderer() -> str:
    """What draws: as asked for, else EGL where it is installed."""
    return os.environ.get(RENDERER) or ("egl" if _has_egl() else "disabled")


def python_path() -> str:
    """PYTHONPATH with which a process finds every module that this one finds, and this package first.

    Places that the interpreter knows by itself are left out: another one may be started further down.
    """
    paths = sysconfig.get_paths()
    own = tuple(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    places = (place or os.getcwd() for place in sys.path if not place.startswith(own) and not place.endswith(".zip"))
    return os.pathsep.join(dict.fromkeys([ROOT, *places]))


def process_environment() -> dict[str, str]:
    """Environment variables of such a process."""
    return os.environ | {"PYTHONPATH": python_path(), "MUJOCO_GL": renderer()}


def ended(code: int) -> str:
    """How a process ended, from its exit code, as `subprocess` gives it."""
    return f"ended with signal {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def resident_mebibytes(process: int | str = "self") -> float:
    """Memory of a process that is not swapped out, in MiB; 0 where the system does not tell (Linux does)."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)
