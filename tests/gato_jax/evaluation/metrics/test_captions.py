"""CIDEr and BLEU against published examples and values by hand."""

import math

import pytest

from gato_jax.evaluation.metrics import captions

MAT = ["the cat is on the mat"]


def test_words():
    assert captions.words("A man, riding Bob's horse (1 of 2).") == [
        "a",
        "man",
        "riding",
        "bob's",
        "horse",
        "1",
        "of",
        "2",
    ]


def test_clipped_counts_of_the_paper():
    """Papineni et al. (2002), example 2: of seven "the", two are matched."""
    said = ["the the the the the the the"]
    references = [["The cat is on the mat.", "There is a cat on the mat."]]
    assert captions.bleu(said, references, longest=1) == pytest.approx(100 * 2 / 7)


def test_bleu_of_the_paper_example_1():
    """Papineni et al. (2002), example 1: 17 of 18 unigrams and 10 of 17 bigrams of candidate 1 are matched."""
    said = "It is a guide to action which ensures that the military always obeys the commands of the party."
    references = [
        "It is a guide to action that ensures that the military will forever heed Party commands.",
        "It is the guiding principle which guarantees the military forces always being under the command of the Party.",
        "It is the practical guide for the army always to heed the directions of the party.",
    ]
    assert captions.bleu([said], [references], longest=1) == pytest.approx(100 * 17 / 18)
    assert captions.bleu([said], [references], longest=2) == pytest.approx(100 * math.sqrt(17 / 18 * 10 / 17))


def test_short_captions_are_penalised():
    assert captions.bleu(["the cat is on"], [MAT]) == pytest.approx(100 * math.exp(1 - 6 / 4))
    assert captions.bleu(["the cat is on the mat"], [MAT]) == pytest.approx(100)
    assert captions.bleu(["a dog"], [MAT]) == 0


def test_cider_by_hand():
    references = [["a red cat sleeps"], ["two blue dogs run"]]
    assert captions.cider(["a red cat sleeps", "two blue dogs run"], references) == pytest.approx(1000)
    assert captions.cider(["two blue dogs run", "a red cat sleeps"], references) == pytest.approx(0)
    # All n-grams are equally rare. Of "a red" against "a red cat sleeps": unigrams 2 / (sqrt 2 sqrt 4), bigrams
    # 1 / (1 sqrt 3), none longer; lengths differ by two.
    first = (2 / math.sqrt(8) + 1 / math.sqrt(3)) / 4 * math.exp(-(2**2) / (2 * 6**2))
    assert captions.cider(["a red", "x"], references) == pytest.approx(1000 * first / 2)
    # Repeating a word does not help: it is clipped to one, as is its weight.
    assert captions.cider(["red red red red", "x"], references) < 1000 * (1 / 2 / 4)


def test_several_references_are_averaged():
    references = [["a red cat sleeps", "one mouse"], ["two blue dogs run"]]
    assert captions.cider(["a red cat sleeps", "x"], references) == pytest.approx(1000 * (1 + 0) / 2 / 2)


def test_what_does_not_fit():
    for said, references in (([], []), (["a"], []), (["a"], [[]])):
        with pytest.raises(ValueError, match="expected captions and one or more references of each"):
            captions.cider(said, references)
