"""Files of strangers: every lie is refused by name, before memory is taken."""

import hashlib
import json
import math
import os
import pickle
import resource

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from gato_jax.export.common.writing import WRITTEN, Entry, Written, write_tensors
from gato_jax.weights.safetensors_reader import check_tensors, find_tensors, read_header, read_json
from gato_jax.weights.tensor_names import ExportError

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32([7, 8])}


def forge(path, header, data=b"", *, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(shape, start, stop, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_what_the_library_writes_is_read(path):
    safetensors.numpy.save_file(ARRAYS, path, metadata={"who": "the library"})
    slots = read_header(path)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(slots[name].read(), array)


@pytest.mark.parametrize(
    ("header", "data", "says"),
    [
        ({"a": entry([4], 0, 16)}, b"x" * 15, "truncated"),
        ({"a": entry([4], 0, 16)}, b"x" * 17, "oversized"),
        ({"a": entry([2**40], 0, 16)}, b"x" * 16, "needs 4398046511104 bytes"),
        ({"a": entry([2**40], 0, 2**42)}, b"x" * 16, "truncated"),
        ({"a": entry([2**62, 2**62], 0, 16)}, b"x" * 16, "needs"),
        ({"a": entry([-4], 0, 16)}, b"x" * 16, "expected a shape"),
        ({"a": entry([True], 0, 4)}, b"x" * 4, "expected a shape"),
        ({"a": entry([4], 16, 0)}, b"x" * 16, "data_offsets"),
        ({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, b"x" * 12, "'b' begins at byte"),
        ({"a": entry([2], 0, 8), "b": entry([2], 12, 20)}, b"x" * 20, "'b' begins at byte"),
        ({"a": entry([2], 0, 16, "F64")}, b"x" * 16, "expected a dtype"),
        ({"a": entry([1] * 9, 0, 4)}, b"x" * 4, "at most 8 sizes"),
        ({"a": {"dtype": "F32"}}, b"", "expected dtype, shape and data_offsets"),
        ({"a": 3}, b"", "expected dtype, shape and data_offsets"),
        (b'{"a": {}, "a": {}}', b"", "stands there twice"),
        (b"[1]", b"", "expected a JSON object"),
        (b"{" * 200_000, b"", "damaged"),
        (b"[" * 200_000, b"", "damaged"),
        (b'{"a": \xff}', b"", "damaged"),
    ],
)
def test_headers_that_lie(path, header, data, says):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ExportError, match=says):
        read_header(forge(path, header, data))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**63, 2**64 - 1])
def test_a_header_length_that_lies(path, length):
    with pytest.raises(ExportError, match="its header claims"):
        read_header(forge(path, b"{}", b"x" * 100, length=length))
    path.write_bytes(b"1234")
    with pytest.raises(ExportError, match="at least 8 bytes"):
        read_header(path)


@pytest.mark.parametrize(
    "file",
    ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", "model.bin", "x\0.safetensors", "", 3, None],
)
def test_an_index_that_points_out_of_its_directory(tmp_path, file):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": file}}))
    with pytest.raises(ExportError, match=r"expected the name of a \.safetensors file"):
        find_tensors(tmp_path, "model")


def test_an_index_that_disagrees_with_its_files(tmp_path):
    safetensors.numpy.save_file(ARRAYS, tmp_path / "one.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "c": "one.safetensors"}}))
    with pytest.raises(ExportError, match=r"disagrees with the header of one.safetensors about \['b', 'c'\]"):
        find_tensors(tmp_path, "model")
    index.write_text(json.dumps({"weight_map": {"a": "gone.safetensors"}}))
    with pytest.raises(ExportError, match=r"expected a file gone\.safetensors, found none"):
        find_tensors(tmp_path, "model")
    index.write_text(json.dumps({"weight_map": []}))
    with pytest.raises(ExportError, match="expected a mapping 'weight_map'"):
        find_tensors(tmp_path, "model")


def test_links_pipes_and_pickles(tmp_path, path):
    secret = tmp_path / "secret"
    safetensors.numpy.save_file(ARRAYS, secret)
    path.symlink_to(secret)
    with pytest.raises(ExportError, match="found a symbolic link"):
        find_tensors(tmp_path, "model")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ExportError, match="found something else"):
        find_tensors(tmp_path, "model")
    path.unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(ARRAYS))
    with pytest.raises(ExportError, match=r"pytorch_model.bin would have to be unpickled"):
        find_tensors(tmp_path, "model")


def test_json_of_a_stranger(tmp_path):
    path = tmp_path / "config.json"
    for text, says in (("[]", "expected a JSON object"), ("{", "damaged"), ("[" * 10**5, "damaged")):
        path.write_text(text)
        with pytest.raises(ExportError, match=says):
            read_json(path)
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole; reading it would take a terabyte
    with pytest.raises(ExportError, match="expected at most"):
        read_json(path)


def test_tensors_that_do_not_fit_are_all_named(path, tmp_path):
    safetensors.numpy.save_file({**ARRAYS, "c": np.zeros(2, np.int32), "d": np.float32([1])}, path)
    with pytest.raises(ExportError) as error:
        check_tensors(tmp_path, {"a": (3, 2), "c": (2,), "d": (1,), "e": (9,)}, read_header(path))
    text = str(error.value)
    assert "a: expected shape (3, 2), found (2, 3)" in text
    assert "b: not a parameter" in text
    assert "c: expected dtype float32 or bfloat16, found int32" in text
    assert "e: missing" in text
    assert "d:" not in text


VALID = None


def valid_file(tmp):
    global VALID
    if VALID is None:
        path = tmp / "valid.safetensors"
        safetensors.numpy.save_file(ARRAYS, path)
        VALID = path.read_bytes()
    return VALID


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_holds_what_its_header_says(tmp_path_factory, data):
    """Any bytes changed, cut or added: an `ExportError`, or tensors that lie inside of the file. Nothing else."""
    tmp = tmp_path_factory.getbasetemp()
    content = bytearray(valid_file(tmp))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    content += data.draw(st.binary(max_size=8))
    path = tmp / "damaged.safetensors"
    path.write_bytes(content)
    try:
        slots = read_header(path)
    except ExportError:
        return
    for slot in slots.values():
        assert slot.start + math.prod(slot.shape) * slot.dtype.itemsize <= len(content)
        assert slot.read().shape == slot.shape


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["F32", "BF16", "I32"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "dtype", "shape", "data_offsets", "weight_map"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(header=JSON, size=st.integers(0, 64), as_index=st.booleans())
def test_any_json_as_a_header_or_an_index(tmp_path_factory, header, size, as_index):
    directory = tmp_path_factory.getbasetemp()
    index = directory / "any.safetensors.index.json"
    index.unlink(missing_ok=True)
    if as_index:
        index.write_text(json.dumps(header))
    else:
        forge(directory / "any.safetensors", header, b"x" * size)
    try:
        slots = find_tensors(directory, "any")
    except ExportError:
        return
    assert not as_index
    assert sum(math.prod(slot.shape) * slot.dtype.itemsize for slot in slots.values()) == size


def entries(dtype=np.float32):
    return [Entry(name, array.shape, np.dtype(dtype)) for name, array in ARRAYS.items()]


def write(directory, read, *, limit):
    written = Written(directory)
    options = {"metadata": {"format": "pt"}, "progress": lambda size: None, "written": written}
    write_tensors(directory, "model", entries(), read, limit=limit, **options)
    return written.digests("model")


def test_shards_with_an_index_are_read_by_the_library(tmp_path):
    write(tmp_path, ARRAYS.__getitem__, limit=24)
    paths = sorted(tmp_path.glob("*.safetensors"))
    assert [path.name for path in paths] == [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index == {"metadata": {"total_size": 32}, "weight_map": {"a": paths[0].name, "b": paths[1].name}}
    for path, name in zip(paths, ARRAYS, strict=True):
        np.testing.assert_array_equal(safetensors.numpy.load_file(path)[name], ARRAYS[name])
    assert set(find_tensors(tmp_path, "model")) == set(ARRAYS)


@pytest.mark.parametrize("cut", [0, 5, 30, 200, 220, 10_000])
def test_writing_goes_on_from_whatever_is_there(tmp_path, cut):
    path = tmp_path / "model.safetensors"
    write(tmp_path, ARRAYS.__getitem__, limit=100)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    asked = []
    write(tmp_path, lambda name: asked.append(name) or ARRAYS[name], limit=100)
    assert path.read_bytes() == whole
    kept = max(0, min(cut, len(whole)) - (len(whole) - 32))
    assert asked == (["a", "b"] if kept < 24 else ["b"] if kept < 32 else [])


def test_writing_does_not_go_on_from_what_changed_since(tmp_path):
    """Neither the file vouches for itself, nor does a note that was cut short."""
    path = tmp_path / "model.safetensors"
    digests = write(tmp_path, ARRAYS.__getitem__, limit=100)
    whole, notes = path.read_bytes(), (tmp_path / WRITTEN).read_text()
    assert digests == {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in ARRAYS.items()}

    def again():
        asked = []
        assert write(tmp_path, lambda name: asked.append(name) or ARRAYS[name], limit=100) == digests
        assert path.read_bytes() == whole
        return asked

    assert again() == []
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert again() == ["b"]
    (tmp_path / WRITTEN).write_text(notes[:-5])
    assert again() == ["b"]
    assert again() == []
    (tmp_path / WRITTEN).unlink()
    assert again() == ["a", "b"]
