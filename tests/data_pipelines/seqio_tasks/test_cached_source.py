"""Records of a cache."""

import numpy as np
import pytest

from data_pipelines.config import DataConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.cached_source import CachedSource, CachedTask, encode, token_dtype
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.vocabulary import Vocabulary

FRAME = ItemSpec("frame", Kind.IMAGE, (16, 32, 3), "uint8")
ACTION = ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=4)


@pytest.mark.parametrize(("text_size", "dtype"), [(1024, "<u2"), (63_000, "<u2"), (70_000, "<u4")])
@pytest.mark.parametrize("same_targets", [True, False])
def test_an_episode_with_images_and_padding_survives(text_size, dtype, same_targets):
    tokens = TokenConfig(Vocabulary(text_size))
    spec = TaskSpec("toy.frames", (FRAME, ItemSpec("view", Kind.IMAGE, (16, 16, 3), "uint8")), ACTION, 10)
    layout = TimestepLayout.build(spec, tokens)
    mixture = MixtureConfig({spec.name: 1.0}, {"all": RowGroup((spec.name,))}, 1)
    assert token_dtype(DataConfig("nowhere", tokens, mixture)).str == dtype
    random = np.random.default_rng(0)
    shown = random.integers(-1, tokens.vocabulary.size, (5, layout.length)).astype(np.int32)
    label = shown if same_targets else random.integers(-1, tokens.vocabulary.size, shown.shape).astype(np.int32)
    frames = np.array([[f"frame {step}".encode(), b""] for step in range(5)], object)
    record = encode({"tokens": shown, "targets": label, "frames": frames}, np.dtype(dtype))
    task = RecordedTask(spec.name, "control", spec, (), {})
    parsed = CachedSource(CachedTask(task, layout, np.dtype(dtype))).parse(record)
    np.testing.assert_array_equal(parsed["tokens"], shown)
    np.testing.assert_array_equal(parsed["targets"], label)
    np.testing.assert_array_equal(parsed["frames"].numpy(), frames)


def test_a_document_survives():
    ids = np.array([0, 1, 1023, 64_000], np.int32)
    task = RecordedTask("text.toy", "text", None, (), {})
    parsed = CachedSource(CachedTask(task, None, np.dtype("<u2"))).parse(encode({"tokens": ids}, np.dtype("<u2")))
    np.testing.assert_array_equal(parsed["tokens"], ids)
