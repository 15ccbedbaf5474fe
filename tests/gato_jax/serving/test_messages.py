import contextlib

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gato_jax.serving.messages import MessageError, pack, unpack

NUMBERS = arrays.boolean_dtypes(), arrays.integer_dtypes(), arrays.floating_dtypes(sizes=(32, 64))
KINDS = st.one_of(*NUMBERS, arrays.unicode_string_dtypes())
ARRAYS = arrays.arrays(KINDS, arrays.array_shapes(min_dims=0, min_side=0))


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=8), ARRAYS, max_size=3))
def test_arrays_come_back_as_they_were(message):
    back = unpack(pack(message))
    assert back.keys() == message.keys()
    for key, array in message.items():
        assert (back[key].dtype, back[key].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(back[key], array)


def test_the_bytes_are_those_of_openpi():
    """Written by openpi-client 0.1.2: msgpack_numpy.packb({"a": np.array([1.5, -2], "<f4"), "b": np.int64(3)})."""
    theirs = bytes.fromhex(
        "82a16184c40b5f5f6e6461727261795f5fc3c40464617461c4080000c03f000000c0c4056474797065a33c6634c4057368617065910"
        "2a16283c40d5f5f6e7067656e657269635f5fc3c4046461746103c4056474797065a33c6938"
    )
    assert pack({"a": np.array([1.5, -2], "<f4"), "b": np.int64(3)}) == theirs
    back = unpack(theirs)
    assert back["a"].tolist() == [1.5, -2]
    assert (back["b"], back["b"].dtype) == (3, np.dtype("i8"))


BAD = [
    (b"", "none"),
    (b"\xc1", "none"),
    (msgpack.packb([1]), "expected a map of observations, found list"),
    (msgpack.packb({1: 2}), "expected text as keys, found 1"),
    (msgpack.packb({"a": {b"__ndarray__": True}}), "dtype None"),
    (msgpack.packb({"a": {b"__ndarray__": True, b"dtype": "|O", b"data": b"", b"shape": [0]}}), r"dtype '\|O'"),
    (msgpack.packb({"a": {b"__ndarray__": True, b"dtype": "f4,f4", b"data": b"", b"shape": [0]}}), "f4,f4"),
    (msgpack.packb({"a": {b"__ndarray__": True, b"dtype": "<f4", b"data": b"123", b"shape": [1]}}), "4 bytes, found 3"),
    (msgpack.packb({"a": {b"__ndarray__": True, b"dtype": "<f4", b"data": b"", b"shape": [-1]}}), "shape"),
    (msgpack.packb({"a": {b"__ndarray__": True, b"dtype": "<f4", b"shape": [1]}}), "without data"),
    (msgpack.packb({"a": {b"__npgeneric__": True, b"dtype": "<i4", b"data": "x"}}), "number of dtype"),
    (b"\x81\xa1a" + b"\x91" * 2000 + b"\x01", "none"),
]


@pytest.mark.parametrize(("data", "message"), BAD)
def test_what_is_no_message_is_said(data, message):
    with pytest.raises(MessageError, match=message):
        unpack(data)


@pytest.mark.parametrize("value", [np.array([object()]), object(), np.array(["2020-01-01"], "M8[D]"), 2**70])
def test_what_no_message_holds_is_said(value):
    with pytest.raises(MessageError, match="cannot be sent"):
        pack({"a": value})


@settings(max_examples=300)
@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_a_message_error(data):
    with contextlib.suppress(MessageError):
        unpack(data)
