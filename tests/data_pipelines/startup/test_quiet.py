"""What is left out of standard error while TensorFlow is imported, and what is not."""

import importlib.util
import sys

from data_pipelines.startup import import_hook, quiet

GREETINGS = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795826770.162837   13076 port.cc:153] oneDNN custom operations are on. You may see slightly different
I0000 00:00:1795826770.163284   13076 cudart_stub.cc:31] Could not find cuda drivers on your machine
E0000 00:00:1795826770.163284   13076 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)
To enable the following instructions: AVX2 AVX512F, in other operations, rebuild TensorFlow
"""


def test_the_first_import_is_filtered_and_no_other(tmp_path, monkeypatch, capfd):
    """A module of that name, as TensorFlow's import takes seconds: it greets while it is imported."""
    code = f"import os\nos.write(2, {GREETINGS!r}.encode() + b'a warning\\n')\nVALUE = 7\n"
    # It searches for a GPU when it is told to, and does not find one.
    code += f"class config:\n    list_physical_devices = lambda kind: os.write(2, {GREETINGS!r}.encode())\n"
    (tmp_path / "tensorflow.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    # Another test of this process may have called a command, which has it too.
    finders = [finder for finder in sys.meta_path if not isinstance(finder, import_hook.Hook)]
    monkeypatch.setattr(sys, "meta_path", list(finders))
    monkeypatch.delenv("GATO_TRACEBACK", raising=False)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    quiet.quiet_tensorflow()
    assert sys.meta_path == finders
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    quiet.quiet_tensorflow()
    quiet.quiet_tensorflow()
    assert len(sys.meta_path) == len(finders) + 1
    # Libraries that open checkpoints ask first whether it is installed.
    assert importlib.util.find_spec("tensorflow") is not None
    import tensorflow

    assert tensorflow.VALUE == 7
    assert capfd.readouterr().err == "a warning\n"
    assert sys.meta_path == finders
    del sys.modules["tensorflow"]


def test_of_onednns_errors_one_is_left_out():
    begin = b"E0000 00:00:1795853902.194714   26201 util.cc:131] oneDNN "
    assert quiet.ONEDNN.match(begin + b"supports DT_INT64 only on platforms with AVX-512. Falling back to the default")
    assert not quiet.ONEDNN.match(begin + b"failed")
