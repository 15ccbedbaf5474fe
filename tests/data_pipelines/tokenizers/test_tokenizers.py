"""Tokenizers: the paper's numbers, inverses, and TensorFlow twins that agree bit for bit."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from data_pipelines.spec import ItemSpec, Kind
from data_pipelines.tokenizers import continuous, images
from data_pipelines.tokenizers.continuous import Companding
from data_pipelines.tokenizers.discrete import DiscreteCodec
from data_pipelines.tokenizers.images import ImageFit
from data_pipelines.tokenizers.tf import continuous as tf_continuous
from data_pipelines.tokenizers.tf import discrete as tf_discrete
from data_pipelines.tokenizers.tf import images as tf_images

QUANTIZERS = {
    "actions": continuous.uniform(),
    "torques": continuous.uniform(-2.5, 0.75),
    "observations": continuous.companded(),
    "out of range": continuous.companded(Companding.OUT_OF_RANGE),
}
TF_ENCODERS = {
    name: tf.function(lambda values, quantizer=quantizer: tf_continuous.encode(quantizer, values), autograph=False)
    for name, quantizer in QUANTIZERS.items()
}
any_float32 = hnp.arrays(np.float32, (64,), elements=st.floats(width=32, allow_subnormal=True), fill=st.nothing())
EXTREMES = np.array(
    [0.0, -0.0, 1e-45, -1e-45, 1.2e-38, 1, -1, 256, -256, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan], np.float32
)


def test_companded_bins_of_the_paper():
    values = np.array([0, 0.1, 1, 10, 100, 256, 1e9, -256], np.float32)
    assert continuous.companded().encode(values).tolist() == [512, 632, 744, 860, 976, 1023, 1023, 0]


def test_uniform_bins_and_their_centres():
    actions = continuous.uniform()
    assert actions.encode(np.array([-1, -0.999, 0, 0.5, 1, 7], np.float32)).tolist() == [0, 0, 512, 768, 1023, 1023]
    np.testing.assert_array_equal(actions.decode(np.array([0, 512, 1023])), np.float32([-1023, 1, 1023]) / 1024)


@pytest.mark.parametrize("name", QUANTIZERS)
@settings(max_examples=60, deadline=None)
@given(values=any_float32)
def test_continuous_twins_agree(name, values):
    values = np.concatenate([values, EXTREMES, QUANTIZERS[name].edges, -QUANTIZERS[name].edges])
    np.testing.assert_array_equal(TF_ENCODERS[name](values), QUANTIZERS[name].encode(values))


def test_continuous_twins_agree_inside_a_pipeline():
    """tf.data's threads flush subnormal numbers to zero, which eager execution does not show."""
    dataset = tf.data.Dataset.from_tensors(EXTREMES).map(TF_ENCODERS["observations"], num_parallel_calls=2)
    np.testing.assert_array_equal(next(iter(dataset)), QUANTIZERS["observations"].encode(EXTREMES))


@settings(max_examples=100, deadline=None)
@given(value=st.floats(-1, 1, width=32), low=st.floats(-100, -0.1), high=st.floats(0.1, 100))
def test_decoding_is_within_half_a_bin(value, low, high):
    quantizer = continuous.uniform(low, high)
    action = np.float32(low + (value + 1) / 2 * (high - low))
    error = abs(float(quantizer.decode(quantizer.encode(action))) - float(np.clip(action, low, high)))
    assert error <= (high - low) / 2048 * (1 + 1e-3)


@settings(max_examples=50, deadline=None)
@given(left=st.floats(width=32, allow_nan=False), right=st.floats(width=32, allow_nan=False))
def test_companding_keeps_order(left, right):
    first, second = continuous.companded().encode(np.float32([min(left, right), max(left, right)]))
    assert 0 <= first <= second < 1024


def test_the_table_of_edges_is_the_formula():
    values = np.random.default_rng(0).normal(size=20_000).astype(np.float32) * 50
    formula = np.clip(np.floor((continuous.mu_law(values) + 1) * 512), 0, 1023)
    assert (continuous.companded().encode(values) == formula).mean() > 0.9999  # float64 rounding on an edge


CELLS = ItemSpec("image", Kind.DISCRETE, (7, 7, 3), "int32", radix=(11, 6, 3), num_values=11)


@pytest.mark.parametrize("pack", [False, True])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_discrete_twins_agree(pack, data):
    values = np.stack(
        [data.draw(hnp.arrays(np.int32, (2, 7, 7), elements=st.integers(0, n - 1))) for n in CELLS.radix], axis=-1
    )
    codec = DiscreteCodec.build(CELLS, pack=pack)
    tokens = codec.encode(values)
    assert tokens.shape == (2, 49 if pack else 147)
    np.testing.assert_array_equal(tf_discrete.encode(codec, values), tokens)
    if pack:
        digits = tokens[..., None] // np.array(codec.place_values) % np.array(codec.radix)
        np.testing.assert_array_equal(digits.reshape(values.shape), values)


def test_discrete_items_need_a_range_that_fits_the_ids():
    with pytest.raises(ValueError, match=r"'none'.*num_values of at least 1.*found num_values = 0"):
        ItemSpec("none", Kind.DISCRETE, (), "int32")
    with pytest.raises(ValueError, match=r"'pair'.*radix \(3, 2\) needs a last axis of 2, found shape \(3,\)"):
        DiscreteCodec.build(ItemSpec("pair", Kind.DISCRETE, (3,), "int32", radix=(3, 2)), pack=False)
    with pytest.raises(ValueError, match=r"'big'.*1024.*2000"):
        DiscreteCodec.build(ItemSpec("big", Kind.DISCRETE, (), "int32", num_values=2000), pack=False)


@pytest.mark.parametrize("fit", ImageFit)
@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 50), width=st.integers(1, 50))
def test_image_twins_agree(fit, height, width):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    np.testing.assert_array_equal(tf_images.patchify(tf.constant(frame[None]), fit), images.patchify(frame[None], fit))
    expected = images.patch_intervals(height, width)
    intervals = tf_images.patch_intervals(tf.range(len(expected)), tf.constant([height, width]))
    np.testing.assert_array_equal(intervals, expected)


def test_gray_images_are_repeated_by_both_twins():
    frame = np.random.default_rng(0).integers(0, 256, (16, 32, 1), dtype=np.uint8)
    encoded = tf.io.encode_png(frame)
    np.testing.assert_array_equal(tf_images.patchify(tf_images.decode(encoded)[None]), images.patchify(frame[None]))
    np.testing.assert_array_equal(tf_images.sizes(encoded[None]), [[16, 32]])


def test_sizes_are_read_from_headers():
    def encoded(height, width, kind, **options):
        buffer = io.BytesIO()
        Image.fromarray(np.full((height, width, 3), height, np.uint8)).save(buffer, kind, **options)
        return buffer.getvalue()

    def commented(data, length):
        """A JPEG with a comment before its frame header, as cameras write."""
        return data[:2] + b"\xff\xfe" + length.to_bytes(2, "big") + b"x" * (length - 2) + data[2:]

    shapes = [(16, 32), (48, 16), (7, 300), (16, 32)]
    png = [encoded(*shape, "PNG") for shape in shapes]
    jpeg = [encoded(*shape, "JPEG", quality=quality) for shape, quality in zip(shapes, (75, 75, 90, 75), strict=True)]
    gray = [tf.io.encode_jpeg(np.zeros((*shape, 1), np.uint8)).numpy() for shape in shapes]
    progressive = [encoded(*shape, "JPEG", progressive=True) for shape in shapes]
    long = [commented(data, 400) for data in jpeg]
    sizes = tf.function(tf_images.sizes, autograph=False)
    for files in (png, jpeg, gray, progressive, long, [png[0], jpeg[1], gray[2], long[3]]):
        np.testing.assert_array_equal(sizes(tf.constant(files)), shapes)
    np.testing.assert_array_equal(sizes(tf.constant([b"", b"no image", jpeg[0]])), [(0, 0), (0, 0), (16, 32)])


def test_intervals_of_the_papers_figure():
    intervals = images.patch_intervals(64, 80)
    assert sorted({*intervals[:, 0], *intervals[:, 1]}) == [0, 32, 64, 96, 128]
    assert sorted({*intervals[:, 2], *intervals[:, 3]}) == [0, 26, 51, 77, 102, 128]
    assert intervals[7].tolist() == [32, 64, 51, 77]


def test_patches_are_in_raster_order():
    frame = np.arange(32 * 48, dtype=np.uint8).reshape(32, 48, 1).repeat(3, axis=-1)
    patches = images.patchify(frame[None])[0]
    np.testing.assert_array_equal(patches[4].reshape(16, 16, 3), frame[16:, 16:32])
