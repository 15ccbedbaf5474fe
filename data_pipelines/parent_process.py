"""Processes that end with the one that started them, even where that is killed by SIGKILL and can tell nobody."""

import os
import signal
import threading
import time


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
