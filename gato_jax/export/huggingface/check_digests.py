"""Compares the files of this directory with `digests.json`: `python check_digests.py` checks all of them.

Written by `gato export`; needs Python only. numpy_gato.py and modeling_gato.py call it before they use a tensor.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

FILE = "digests.json"
PIECE = 2**24


class Damaged(ValueError):
    """A file that is not what was written; the message names it, what was expected and what was found."""


def read_json(path):
    """The JSON object in a file. Raises `Damaged` where it is cut short, or something else."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        size = path.stat().st_size
        raise Damaged(f"{path}: expected a JSON object, found {size} bytes that are not whole: {error}") from error
    if not isinstance(content, dict):
        raise Damaged(f"{path}: expected a JSON object, found a {type(content).__name__}")
    return content


def check(directory, *, files=("tokenizer.model",)):
    """Compares all tensors, the shape in config.json, and those of the other files that are named; None = all.

    Returns how many tensors and files were compared. Where there is no digests.json, a warning says so.

    Raises:
      Damaged: one differs, or is missing.
    """
    directory = Path(directory)
    if not (directory / FILE).exists():
        warnings.warn(f"{directory} has no {FILE}: nothing tells whether its weights have changed", stacklevel=2)
        return 0, 0
    digests = read_json(directory / FILE)
    config = read_json(directory / "config.json")
    for name, expected in digests["shape"].items():
        if config.get(name) != expected:
            raise Damaged(f"{directory / 'config.json'}: {name}: expected {expected}, found {config.get(name)}")
    names = [name for name in digests["files"] if files is None or name in files]
    for name in names:
        with _opened(directory / name) as file:
            _compare(directory / name, digests["files"][name], _digest(file, (directory / name).stat().st_size))
    tensors = check_tensors(directory, "model", digests["tensors"])
    return tensors + check_tensors(directory, "optimizer", digests["optimizer"]), len(names)


def check_tensors(directory, stem, expected):
    """Compares the tensors of `<stem>.safetensors`, or of its numbered files; their number."""
    names = set()
    paths = [directory / f"{stem}.safetensors", *sorted(directory.glob(f"{stem}-*-of-*.safetensors"))]
    for path in paths if expected else ():
        if path == paths[0] and not path.exists() and len(paths) > 1:
            continue
        with _opened(path) as file:
            size = min(int.from_bytes(file.read(8), "little"), path.stat().st_size)
            try:
                header = json.loads(file.read(size))
                header.pop("__metadata__", None)
                places = {name: tuple(map(int, entry["data_offsets"])) for name, entry in header.items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise Damaged(f"{path}: expected a header of safetensors, found another: {error}") from error
            for name, (start, stop) in places.items():
                file.seek(8 + size + start)
                _compare(f"{path}: tensor {name!r}", expected.get(name, "none"), _digest(file, stop - start))
                names.add(name)
    if missing := sorted(set(expected) - names):
        raise Damaged(f"{directory}: expected the tensor {missing[0]!r} in {stem}.safetensors, found none")
    return len(names)


def _opened(path):
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise Damaged(f"{path}: expected a file, found none") from error


def _digest(file, size):
    digest = hashlib.sha256()
    while size and (data := file.read(min(size, PIECE))):
        digest.update(data)
        size -= len(data)
    return digest.hexdigest()


def _compare(what, expected, found):
    if found != expected:
        raise Damaged(f"{what} is damaged: expected SHA-256 {expected[:12]}, found {found[:12]}")


if __name__ == "__main__":
    try:
        counted = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent, files=None)
    except Damaged as error:
        sys.exit(str(error))
    print(f"{counted[0]} tensors and {counted[1]} files are as they were written")
