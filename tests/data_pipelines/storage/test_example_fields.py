"""Features read from serialised examples, beside what TensorFlow wrote into them."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.storage.example_fields import Example


def test_values_are_those_that_tensorflow_wrote():
    random = np.random.default_rng(0)
    floats = random.normal(size=300).astype(np.float32) * 1e20
    edges = [0, 1, 127, 128, 16383, 16384, -1, 2**63 - 1, -(2**63)]
    ints = np.concatenate([random.integers(-(2**62), 2**62, 300) >> random.integers(0, 62, 300), edges])
    features = {
        "floats": tf.train.Feature(float_list=tf.train.FloatList(value=floats)),
        "ints": tf.train.Feature(int64_list=tf.train.Int64List(value=ints)),
        "texts": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"", b"x" * 300, "ü".encode()])),
        "none": tf.train.Feature(int64_list=tf.train.Int64List(value=[])),
    }
    record = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    example = Example(record)
    np.testing.assert_array_equal(example.numbers("floats"), floats)
    np.testing.assert_array_equal(example.numbers("ints"), ints)
    assert example.numbers("none").size == 0
    assert example.texts("texts") == [b"", b"x" * 300, "ü".encode()]
    assert example.names == ["floats", "ints", "none", "texts"]
    assert "ints" in example
    for wrong, look_up in (("texts", example.numbers), ("ints", example.texts)):
        with pytest.raises(KeyError, match=wrong):
            look_up(wrong)


def test_what_is_no_example_is_an_error():
    with pytest.raises(IndexError):
        Example(b"\x0a\xff\x01no")
