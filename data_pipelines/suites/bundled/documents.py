"""Plain text that is installed with packages: documentation, and a dictionary."""

import ast
import importlib.util
import inspect
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_pipelines.suites.base.bundle import Bundle
from data_pipelines.suites.bundled import files

_SHORT = 160
"""Characters below which a docstring says too little to be a document."""

_ENTRIES = 20
"""Entries of the dictionary in a document."""


def python_documents() -> list[str]:
    """The topics of the standard library's documentation, in the order of their names."""
    from pydoc_data import topics

    return [topics.topics[name].strip() for name in sorted(topics.topics)]


def python_topics() -> Bundle:
    """`python_documents` as examples."""
    return Bundle(python_documents())


def package_docstrings(package: str) -> Bundle:
    """Docstrings of an installed package, whose code is read and never run."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"expected the package {package!r} with its sources, found none")
    return Bundle(docstrings(Path(next(iter(spec.submodule_search_locations))), package))


def library_docstrings() -> Bundle:
    """Docstrings of the standard library."""
    return Bundle(docstrings(Path(sysconfig.get_path("stdlib")), ""))


def docstrings(root: Path, package: str) -> list[str]:
    """A document for each module, class and function with a docstring: its name, its arguments, and what it says.

    Args:
      root: folder of Python files; tests, hidden folders and installed packages in it are left out.
      package: how names begin; "" where the folder holds modules.

    Returns:
      Texts in the order of the files, each once.
    """
    found: dict[str, None] = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if any(part in ("test", "tests", "site-packages", "dist-packages") or part.startswith(".") for part in parts):
            continue
        try:
            module = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # Sources that a package keeps for another Python, or as examples of errors.
            continue
        name = ".".join(part for part in (package, *parts) if part and part != "__init__")
        found.update(dict.fromkeys(_documents(module, name, "")))
    return list(found)


def _documents(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str, arguments: str
) -> Iterator[str]:
    text = ast.get_docstring(node)
    if text and len(text) >= _SHORT:
        yield f"{name}{arguments}\n\n{inspect.cleandoc(text)}"
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _documents(child, f"{name}.{child.name}", "")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            yield from _documents(child, f"{name}.{child.name}", f"({ast.unparse(child.args)})")


def python_manual() -> Bundle:
    """The pages of Python's manual, as their authors wrote them (reStructuredText)."""
    root = files.find(files.PYTHON_MANUAL)
    return Bundle([path.read_text(encoding="utf-8").strip() for path in sorted(root.rglob("*.rst.txt"))])


def wordnet() -> Bundle:
    """WordNet's entries, some to a document: words of one meaning, and what they mean."""
    root = files.find([f"{place}/data.noun" for place in files.WORDNET]).parent
    entries = [entry for kind in ("noun", "verb", "adj", "adv") for entry in wordnet_entries(root / f"data.{kind}")]
    return Bundle(["\n".join(entries[start : start + _ENTRIES]) for start in range(0, len(entries), _ENTRIES)])


def wordnet_entries(path: Path) -> Sequence[str]:
    """Lines "word, other word: what they mean" of a file in WordNet's own format (wndb(5WN))."""
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):  # The licence at the top.
            continue
        fields, _, gloss = line.partition(" | ")
        words = fields.split()
        count = int(words[3], 16)
        names = [word.partition("(")[0].replace("_", " ") for word in words[4 : 4 + 2 * count : 2]]
        entries.append(f"{', '.join(names)}: {gloss.strip()}")
    return entries
