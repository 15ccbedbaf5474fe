"""Ctrl-C stays Ctrl-C, whatever a library makes of it.

Python raises `KeyboardInterrupt` wherever the main thread is. Inside Orbax's event loop that cancels tasks, which then
fail with errors of their own, and an interrupt looks like a damaged checkpoint. Inside a callback of C it is swallowed.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Watch:
    """Whether Ctrl-C came since the outermost block began, and how many blocks put it off."""

    active = False
    seen = False
    deferring = 0

    def handle(self, signum: int, frame: FrameType | None) -> None:
        again, self.seen = self.seen, True
        if not self.deferring or again:  # Who asks twice does not want to wait.
            raise KeyboardInterrupt


_watch = _Watch()


@contextmanager
def interruptible() -> Iterator[None]:
    """A block in which every failure after Ctrl-C is the Ctrl-C, and none is swallowed. May stand inside another.

    Does nothing outside of the main thread, which gets no signals, and where somebody else handles SIGINT.

    Raises:
      KeyboardInterrupt: Ctrl-C came; by the end of the block at the latest.
    """
    in_main = threading.current_thread() is threading.main_thread()
    outermost = not _watch.active and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not in_main or not (outermost or _watch.active):
        yield
        return
    if outermost:
        _watch.active, _watch.seen, _watch.deferring = True, False, 0
        signal.signal(signal.SIGINT, _watch.handle)
    try:
        yield
    except Exception as error:
        if _watch.seen:
            raise KeyboardInterrupt from error
        raise
    finally:
        if outermost:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _watch.active = False
    if _watch.seen:
        raise KeyboardInterrupt


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A block that Ctrl-C does not enter: it is raised behind it. A second Ctrl-C is raised at once.

    For calls into libraries that do not survive a `KeyboardInterrupt` in their middle; keep them short.
    """
    with interruptible():
        _watch.deferring += 1
        try:
            yield
        finally:
            _watch.deferring -= 1
