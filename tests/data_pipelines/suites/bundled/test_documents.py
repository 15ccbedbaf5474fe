"""Texts of installed packages."""

import pytest

from data_pipelines.suites.bundled import documents, files

LONG = ("It says what it does, and then goes on for a while. " * 5).strip()
CODE = f'''"""{LONG}"""

class Door:
    """{LONG}

    More.
    """

    def open(self, width: float = 1.0, *, slowly=False):
        """Opens. {LONG}"""

    def _hidden(self):
        """{LONG}"""


def short():
    """Too little."""
'''


def test_docstrings_have_their_names_and_arguments(tmp_path):
    (tmp_path / "tests").mkdir()
    for name, text in (
        ("door.py", CODE),
        ("tests/door.py", CODE),
        ("broken.py", "def"),
        ("__init__.py", f'"""{LONG}"""'),
    ):
        (tmp_path / name).write_text(text)
    texts = documents.docstrings(tmp_path, "house")
    assert [text.partition("\n\n")[0] for text in texts] == [
        "house", "house.door", "house.door.Door", "house.door.Door.open(self, width: float=1.0, *, slowly=False)",
    ]  # fmt: skip
    assert texts[2] == f"house.door.Door\n\n{LONG}\n\nMore."


def test_docstrings_of_a_package():
    texts = documents.package_docstrings("jaxtyping").train
    assert len(texts) > 5
    assert len(set(texts)) == len(texts)
    assert all(text.startswith("jaxtyping") for text in texts)
    with pytest.raises(FileNotFoundError, match="expected the package 'no_such_package'"):
        documents.package_docstrings("no_such_package")


def test_python_topics():
    assert len(documents.python_documents()) > 50


def test_entries_of_a_dictionary(tmp_path, monkeypatch):
    licence = "  1 This software is provided as it is.\n"
    noun = "00001740 03 n 02 entity 0 living_thing 0 001 ~ 00001930 n 0000 | that which is perceived  \n"
    adjective = "00002312 00 a 0a " + " ".join(f"word{i}(p) {i:x}" for i in range(10)) + ' 000 | of ten words; "ten"\n'
    for kind, lines in (("noun", 30 * noun), ("verb", ""), ("adj", adjective), ("adv", "")):
        (tmp_path / f"data.{kind}").write_text(licence + lines)
    monkeypatch.setattr(files, "WORDNET", ("/no/such/folder", str(tmp_path)))
    first, second = documents.wordnet().train
    assert first.splitlines() == ["entity, living thing: that which is perceived"] * 20
    assert second.splitlines()[-1] == f'{", ".join(f"word{i}" for i in range(10))}: of ten words; "ten"'


def test_pages_of_the_manual(tmp_path, monkeypatch):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "os.rst.txt").write_text("\nos\n==\n")
    monkeypatch.setattr(files, "PYTHON_MANUAL", (str(tmp_path),))
    assert documents.python_manual().train == ["os\n=="]


def test_files_that_are_not_there():
    with pytest.raises(FileNotFoundError, match=r"expected one of /none/a, /none/b, found none"):
        files.find(("/none/a", "/none/b"))
