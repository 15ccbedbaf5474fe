"""Damage of TFDS directories is told to imports of text as to those of episodes (`test_rlds.py` has every kind)."""

import pytest
import tensorflow_datasets as tfds

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.vision_language import FORMATS, SourceOptions


def test_damage_of_a_text_set(tmp_path, build_tfds):
    texts = [{"text": f"document {number}"} for number in range(3)]
    path = build_tfds(tmp_path, "texts", {"text": tfds.features.Text()}, texts)
    shard = next(path.glob("*.tfrecord*"))
    whole = shard.read_bytes()

    def read():
        return [item.text for item in FORMATS["tfds"].open(path, SourceOptions()).items(0)]

    assert sorted(read()) == ["document 0", "document 1", "document 2"]
    shard.write_bytes(whole[:-7])
    with pytest.raises(SourceError, match="truncated inside record 2 of 3"):
        read()
    shard.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    with pytest.raises(SourceError, match=rf"{shard.name}: a record does not match its checksum"):
        read()
    shard.write_bytes(whole)
    (path / "features.json").write_text("{")
    with pytest.raises(SourceError, match=r"features.json: expected TFDS's description of a data set"):
        read()


def test_array_records_are_refused(tmp_path, build_tfds):
    path = build_tfds(tmp_path, "texts", {"text": tfds.features.Text()}, [{"text": "a"}], file_format="array_record")
    with pytest.raises(SourceError, match=r"expected TFRecord files, found ArrayRecord, .* file_format='tfrecord'"):
        FORMATS["tfds"].open(path, SourceOptions())
