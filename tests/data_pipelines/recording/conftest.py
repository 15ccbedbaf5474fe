"""A machine on which EnvLogger cannot be imported."""

import sys

import pytest


@pytest.fixture
def without_envlogger(tmp_path_factory, monkeypatch):
    """Call it: then EnvLogger cannot be imported, here and in new processes, as where the C library is too old."""

    def hide():
        folder = tmp_path_factory.mktemp("broken")
        (folder / "envlogger").mkdir()
        (folder / "envlogger" / "__init__.py").write_text('raise ImportError("version `GLIBC_2.38\' not found")')
        for name in [name for name in sys.modules if name.partition(".")[0] == "envlogger"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(folder)

    return hide
