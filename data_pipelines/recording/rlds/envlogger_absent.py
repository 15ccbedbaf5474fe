"""Whether EnvLogger can be imported on this machine. Loads neither TensorFlow nor JAX itself."""

import importlib


def why_absent() -> str:
    """The reason for which EnvLogger cannot be imported; "" where it can be.

    Version 1.2 has a wheel for Python 3.11 alone; 1.3, for later ones, needs glibc 2.38 (Ubuntu 24.04, Debian 13).
    There is none for macOS.
    """
    try:
        importlib.import_module("envlogger")
    except ImportError as error:
        return str(error)
    return ""
