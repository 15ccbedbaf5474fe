"""Accuracy of VQA, and bits per byte."""

import math

import pytest

from gato_jax.evaluation.metrics import answers


@pytest.mark.parametrize(
    ("written", "compared"),
    [("The Dog.", "dog"), ("two", "2"), ("Don't know", "dont know"), ("1,000", "1000"), ("red/white", "red white")],
)
def test_normalised(written, compared):
    assert answers.normalised(written) == compared


@pytest.mark.parametrize(
    # The values that the evaluation's page gives for 0, 1, 2, 3 and 4 people of ten: 0, 0.3, 0.6, 0.9, 1.
    ("same", "accuracy"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)],
)  # fmt: skip
def test_accuracy_of_ten_people(same, accuracy):
    assert answers.vqa_accuracy("a dog", ["dog"] * same + ["cat"] * (10 - same)) == pytest.approx(accuracy)


def test_fewer_people():
    assert answers.vqa_accuracy("yes", ["Yes"]) == 1.0
    assert answers.vqa_accuracy("yes", ["no"]) == 0.0
    assert answers.vqa_accuracy("yes", ["yes", "yes"]) == 1.0
    assert answers.vqa_accuracy("yes", ["yes", "no"]) == 0.5
    with pytest.raises(ValueError, match="found none"):
        answers.vqa_accuracy("yes", [])


def test_bits_per_byte():
    """Uniform over 256 bytes costs eight bits a byte, however bytes are cut into tokens."""
    assert answers.bits_per_byte(10 * math.log(256), 10) == pytest.approx(8)
    assert answers.bits_per_byte(5 * math.log(256**2), 10) == pytest.approx(8)
