"""Lines that C++ libraries write straight to standard error, left out while something runs.

Some log before any setting of their log level is read, or export no way to set it. So the file descriptor itself is
filtered, line by line: all other lines pass at once.
"""

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def lines_left_out(pattern: re.Pattern[bytes]) -> Iterator[None]:
    """Inside it, lines whose beginning matches `pattern` do not reach standard error."""
    sys.stderr.flush()
    behind, there, (reader, writer) = os.dup(2), os.dup(2), os.pipe()

    def pass_on() -> None:
        with open(reader, "rb") as lines:
            for line in lines:
                if not pattern.match(line):
                    os.write(there, line)
        os.close(there)

    thread = threading.Thread(target=pass_on, name="stderr lines", daemon=True)
    os.dup2(writer, 2)
    os.close(writer)
    thread.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(behind, 2)  # The last end of the pipe: the thread reads what is left, and ends.
        os.close(behind)
        thread.join(1.0)  # A child that was started meanwhile may hold another end for longer.
