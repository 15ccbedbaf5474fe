"""All that speaks of formats speaks of the same ones."""

import re
import runpy
import typing
from pathlib import Path

import pytest

from gato_jax.cli.weights import FormatName
from gato_jax.export.common.export_format import DTYPES
from gato_jax.export.export import export_weights
from gato_jax.export.formats.registry import FORMATS
from gato_jax.export.verification import SCRIPT

PAGE = Path(__file__).parents[4] / "docs" / "export.md"


def test_the_command_line_offers_each():
    choices, _ = typing.get_args(FormatName)
    assert typing.get_args(choices) == tuple(FORMATS)


def test_the_fresh_process_opens_each():
    assert list(runpy.run_path(str(SCRIPT))["OPENERS"]) == list(FORMATS)


@pytest.mark.skipif(not PAGE.exists(), reason="reads the documentation, which an installed wheel does not have")
def test_the_documentation_describes_each():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| .* \| .* \| .* \|$", PAGE.read_text().split("\n## ")[0], re.MULTILINE)
    assert rows == [(form.name, form.description) for form in FORMATS.values()]


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_a_record_is_of_one_piece(form):
    assert form.has_tensors or not form.with_optimizer
    assert set(form.dtypes) <= set(DTYPES)
    assert not set(form.runtime) & set(form.hidden) or form.made_by_runtime
    assert form.install.startswith("pip install ")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "pickle"}, r"format: expected one of \['safetensors', .*, found 'pickle'"),
        ({"dtype": "int8"}, r"dtype: expected one of \['bfloat16', 'float32'\], found 'int8'"),
        ({"format": "onnx", "dtype": "bfloat16"}, "dtype: a onnx export is float32, found 'bfloat16'"),
        ({"shard_size": 0}, "shard_size must be positive, found 0"),
        (
            {"format": "stablehlo", "with_optimizer": True},
            "training continues from safetensors or huggingface, found stablehlo",
        ),
    ],
)
def test_what_a_format_cannot_hold_is_refused_before_anything_is_read(tmp_path, options, says):
    with pytest.raises(ValueError, match=says):
        export_weights(tmp_path / "nowhere", tmp_path / "out", **options)
