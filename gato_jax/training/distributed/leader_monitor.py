"""A tiny process that names the first process of a run when it dies.

JAX aborts all processes at once when the first one is gone, before Python can say a word. So every other process has a
companion, which knows no JAX: it holds a connection to the first process and a pipe to its own, and speaks if the
connection ends without a good-bye.
"""

import socket
import subprocess
import sys

FAREWELL = b"bye\n"

_CODE = """
import select, socket, sys
leader = socket.socket(fileno=int(sys.argv[1]))
ready = select.select([leader, sys.stdin], [], [])[0]
try:
    gone = leader in ready and not leader.recv(16)
except ConnectionError:  # Reset by a process that was killed.
    gone = True
if gone:
    print(sys.argv[2], file=sys.stderr, flush=True)
"""


class Witness:
    """Watches the first process from outside of this one.

    Args:
      leader: connection to it, on which nothing but `FAREWELL` is ever said.
      message: printed to standard error if it ends without that.
    """

    def __init__(self, leader: socket.socket, message: str):
        # A session of its own: signals to the process group of the run are none of its business.
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _CODE, str(leader.fileno()), message],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[leader.fileno()],
            start_new_session=True,
        )

    def speak(self) -> None:
        """Returns when it has seen the end of the first process and has spoken."""
        self._process.wait()

    def dismiss(self) -> None:
        """This process ends well."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
