"""A text model from the texts of a data directory, whatever kind of task they are in."""

import json

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.control import import_episodes
from data_pipelines.importing.vision_language import import_vision_language
from data_pipelines.storage.recorded_tasks import DataError
from data_pipelines.text_model import train_text_model
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from gato_jax import cli

PLACES = ("London", "Madrid", "Vienna", "Prague", "Dublin", "Warsaw", "Lisbon")
VERBS = ("sleeps", "jumps", "hides", "drinks", "follows")
WORDS = ("zebra", "quagga", "walrus", "ibex", "okapi", "tapir")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Documents, captions and instructions, of words of their own."""
    root = tmp_path_factory.mktemp("sources")
    lines = [json.dumps({"text": f"the {WORDS[n % 3]} of {PLACES[n % 7]} {VERBS[n % 5]} {n}"}) for n in range(60)]
    (root / "a.jsonl").write_text("\n".join(lines))
    Image.new("RGB", (16, 16)).save(root / "a.png")
    (root / "a.txt").write_text("an okapi " * 20)
    options = {"validation": 0.0, "progress": lambda progress: None}
    import_vision_language(root / "a.jsonl", root / "data", "text.a", format="text", **options)
    import_vision_language(root, root / "data", "captions.a", format="image_folder", **options)
    episode = {
        "observation": {"mission": np.array(["go to the tapir"] * 3)},
        "action": np.zeros((2, 1), np.float32),
        "reward": np.ones(2),
    }
    import_episodes([episode], root / "data", "toy.a", progress=lambda progress: None)
    return root / "data"


def test_it_learns_the_words_of_every_kind_of_task(data, tmp_path):
    summary = train_text_model(data, to=tmp_path / "a.model", pieces=65)
    assert set(summary.characters) == {"text.a", "captions.a", "toy.a"}
    assert summary.whole
    text = TextTokenizer(tmp_path / "a.model")
    assert text.size == 65
    for word in ("zebra", "okapi", "tapir"):
        assert len(text.encode(word)) < len(text.encode("jxqvwf")), word
    train_text_model(data, to=tmp_path / "b.model", pieces=65)
    assert (tmp_path / "a.model").read_bytes() == (tmp_path / "b.model").read_bytes()


def test_a_sample_is_said(data, tmp_path):
    summary = train_text_model(data, to=tmp_path / "a.model", pieces=50, tasks=["text.a"], characters=300)
    assert not summary.whole
    assert 300 <= summary.characters["text.a"] < 340
    assert "text.a: 3" in summary.table()
    assert "characters, a sample" in summary.table()


def test_what_is_wrong(data, tmp_path):
    with pytest.raises(ValueError, match="cannot train 100000 text pieces on "):
        train_text_model(data, to=tmp_path / "a.model", pieces=100_000)
    with pytest.raises(DataError, match=r"text\.none"):
        train_text_model(data, tasks=["text.none"])
    (tmp_path / "a.model").write_text("")
    with pytest.raises(FileExistsError, match=r"a\.model: there is a text model already, and runs may need it"):
        train_text_model(data, to=tmp_path / "a.model")


def test_the_command_makes_the_model_of_the_data_directory(data, capsys):
    with pytest.raises(FileNotFoundError, match=r"mistral_common/data/tokenizer\.model\.v1 .* gato text-model"):
        resolve_text_model("", data)
    cli.main(["text-model", str(data), "--pieces", "60", "--json"])
    assert json.loads(capsys.readouterr().out)["pieces"] == 60
    assert TextTokenizer(resolve_text_model("", data)).size == 60
    (data / "tokenizer.model").unlink()
