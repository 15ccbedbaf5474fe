"""The time that is left."""

import io

from gato_jax.evaluation.progress import GUESS, ProgressLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_time_left_is_said_from_the_start_and_leaves_out_what_starting_takes():
    now, stream = [0.0], Terminal()
    with ProgressLine({"a": 100, "b": 100}, label="evaluating", stream=stream, clock=lambda: now[0]) as line:
        assert "0/2 tasks, 0 s, about 4 s left" in stream.getvalue()
        assert line.seconds_left() == 200 * GUESS
        now[0] = 50.0  # The first step compiles.
        line.update("a", 1, 0, 10)
        assert line.seconds_left() == 199 * GUESS
        now[0] = 59.0
        line.update("a", 10, 0, 10)
        assert line.seconds_left() == 90 + 100, "a second a step, in both tasks"
        line.done("a")
        assert line.seconds_left() == 100
        line.done("b")
        assert "2/2 tasks, 59 s" in stream.getvalue().splitlines()[-1]


def test_tasks_side_by_side_share_the_time():
    now = [0.0]
    line = ProgressLine({"a": 100, "b": 100}, label="x", processes=2, stream=io.StringIO(), clock=lambda: now[0])
    line.update("a", 10, 0, 10)
    line.update("b", 10, 0, 10)
    now[0] = 10.0
    line.update("a", 20, 0, 10)
    line.update("b", 20, 0, 10)
    assert line.seconds_left() == 80
