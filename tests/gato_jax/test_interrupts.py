"""Ctrl-C is neither swallowed nor taken for another failure."""

import contextlib
import os
import signal
import threading

import pytest

from gato_jax.interrupts import interruptible, uninterrupted


def press():
    os.kill(os.getpid(), signal.SIGINT)


def swallowed():
    """As a callback of C does, or a destructor."""
    with contextlib.suppress(KeyboardInterrupt):
        press()


def interrupted(work):
    """Runs it, and returns the KeyboardInterrupt that it ends with; Python's own handler is back in place."""
    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return caught.value


def test_a_block_that_is_not_entered_runs_to_its_end():
    done = []

    def work():
        with uninterrupted():
            press()
            done.append(1)

    interrupted(work)
    assert done == [1]


def test_who_presses_twice_does_not_wait():
    done = []

    def work():
        with uninterrupted():
            press()
            press()
            done.append(1)

    interrupted(work)
    assert done == []


@pytest.mark.parametrize("block", [interruptible, uninterrupted])
def test_what_fails_after_it_is_the_interrupt(block):
    def work():
        with block():
            swallowed()
            raise ValueError("CANCELLED: the checkpoint is damaged")

    assert "damaged" in str(interrupted(work).__cause__)


def test_none_is_swallowed():
    def work():
        with interruptible():
            swallowed()

    interrupted(work)


def test_blocks_inside_each_other():
    done = []

    def work():
        with interruptible():
            with uninterrupted():
                done.append("before")
            with uninterrupted():
                press()
                done.append("inside")
            done.append("behind")

    interrupted(work)
    assert done == ["before", "inside"]
    with interruptible():  # The last one is forgotten.
        done.append("next")
    assert done[-1] == "next"


def test_other_failures_other_threads_and_other_handlers_are_left_alone():
    with pytest.raises(ValueError, match="full"), interruptible(), uninterrupted():
        raise ValueError("full")
    handlers = []

    def work():
        with uninterrupted():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        with interruptible():
            press()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert seen == [1]
