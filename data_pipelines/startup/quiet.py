"""TensorFlow's greetings are left out of standard error; lines of any other kind, and all errors, are shown.

Its C++ logs them before any setting of its log level is read, so the file descriptor itself is filtered, line by line,
while TensorFlow is imported. A user who sets TF_CPP_MIN_LOG_LEVEL=0 or GATO_TRACEBACK=1 sees everything.
"""

import functools
import glob
import os
import re
import sys
from types import ModuleType

from data_pipelines.startup.import_hook import Execute, around_import
from data_pipelines.stderr_lines import lines_left_out

GREETINGS = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|"
    rb"[IW]\d{4} [\d:.]+ +\d+ (port|cudart_stub|cpu_feature_guard|computation_placer|cuda_\w+)\.cc:\d+\]|"
    rb"E\d{4} [\d:.]+ +\d+ cuda_platform\.cc:\d+\] failed call to cuInit|"
    rb"To enable the following instructions: "
)
"""How the lines begin that say what TensorFlow was built with and which libraries and devices it did not find."""

ONEDNN = re.compile(rb"E\d{4} [\d:.]+ +\d+ util\.cc:\d+\] oneDNN supports DT_INT64 only ")
"""How the line begins that says which kernels whole numbers of 64 bits do not get."""

GPUS = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Files of a GPU: NVIDIA's on a machine and in a container, Windows' for Linux, AMD's."""


def has_gpu() -> bool:
    """Whether this machine shows a GPU. Where such files are not known, it may have one."""
    return sys.platform != "linux" or any(glob.glob(pattern) for pattern in GPUS)


def quiet_tensorflow() -> None:
    """Has the first import of TensorFlow in this process filtered, wherever it comes from."""
    if _wants_everything():
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # Errors are shown, warnings are not.
    around_import("tensorflow", _quietly)


@functools.cache
def quiet_onednn() -> None:
    """Has TensorFlow meet a graph with whole numbers of 64 bits now, unheard: the first one is reported as an error.

    Not while it is imported: threads and devices can be set only before the first operation.
    """
    if _wants_everything():
        return
    import tensorflow as tf

    with lines_left_out(ONEDNN), tf.device("CPU"):
        tf.function(tf.transpose, autograph=False)(tf.zeros([2, 2], tf.int64))


def _wants_everything() -> bool:
    return bool(os.environ.get("GATO_TRACEBACK")) or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0"


def _quietly(execute: Execute, tensorflow: ModuleType) -> None:
    with lines_left_out(GREETINGS):
        execute(tensorflow)
        if not has_gpu():
            # The search for one fails with an error, which would come with the first operation.
            tensorflow.config.list_physical_devices("GPU")
