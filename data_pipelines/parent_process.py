"""Processes that end with the one that started them, even where that is killed by SIGKILL and can tell nobody."""

import ctypes
import os
import signal
import sys
import threading
import time

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def end_with(parent: int, *, every: float = 1.0) -> None:
    """Sends SIGTERM to this process as soon as `parent` is no longer its parent.

    Args:
      parent: process id of whoever started this process; told rather than asked for, as it may be gone already.
      every: seconds between two looks.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def killed_with_parent(parent: int) -> None:
    """Has Linux kill this process with the thread that started it, so also where it hangs in C code; else does nothing.

    Args:
      parent: process id of whoever started this process, which may be gone already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
