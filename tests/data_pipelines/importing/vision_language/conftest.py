"""What the tests of imports share: the text model, and streams over what was imported into it."""

import importlib.util
import pathlib

import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from data_pipelines.vocabulary import TokenType

TEXT_MODEL = "package:mistral_common/data/tokenizer.model.v1"


@pytest.fixture(scope="session")
def sources():
    """`sources_on_disk`: test directories are no packages, so it is loaded by its path."""
    path = pathlib.Path(__file__).with_name("sources_on_disk.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def text():
    """The 32,000 pieces that the presets of the paper use."""
    return TextTokenizer(resolve_text_model(TEXT_MODEL))


@pytest.fixture
def configure():
    """(data, task, row group's fields, stream's fields) to a configuration of that task alone."""

    def build(data, task, group, **stream):
        tokens = TokenConfig(text_model=TEXT_MODEL)
        mixture = MixtureConfig({task: 1.0}, {"all": RowGroup((task,), **group)}, 4)
        options = {"virtual_shards": 2, "reseed_every": 50, "shuffle_buffer": 8, **stream}
        return DataConfig(str(data), tokens, mixture, StreamConfig(**options))

    return build


class Row:
    """One row of a batch, read back into text and pictures."""

    def __init__(self, batch, index, text):
        self.kinds, self.tokens, self.loss = (batch[n][index] for n in ("token_type", "tokens", "loss_mask"))
        self.position, self.targets = batch["observation_position"][index], batch["targets"][index]
        slots = batch["patch_slot"][index]
        used = slots < len(self.kinds)
        self.slots, self.patches = slots[used], batch["patches"][index][used]
        self.interval = batch["patch_interval"][index][used]
        self._text = text

    def pictures(self):
        """Each picture as [(row low, row high, column low, column high), ...] and its patches, in order."""
        groups = []
        for number, interval in enumerate(self.interval):
            if interval[0] == 0 and interval[2] == 0:
                groups.append([])
            groups[-1].append(number)
        return [self._join(numbers) for numbers in groups]

    def _join(self, numbers):
        """uint8 [height, width, 3] of the patches with these numbers; fails when it is no whole picture."""
        ends = [tuple(self.interval[n]) for n in numbers]
        columns = sum(1 for end in ends if end[0] == 0)
        rows, rest = divmod(len(numbers), columns)
        assert not rest, f"half a picture: {ends}"
        assert ends[-1][1] == ends[-1][3] == 128, f"half a picture: {ends}"
        assert (self.slots[numbers] == self.slots[numbers[0]] + range(len(numbers))).all()
        cells = self.patches[numbers].reshape(rows, columns, 16, 16, 3)
        return cells.transpose(0, 2, 1, 3, 4).reshape(rows * 16, columns * 16, 3)

    def texts(self):
        """Texts in order: runs of text pieces, cut behind each eos."""
        texts, run = [], []
        for kind, token in zip(self.kinds, self.tokens, strict=True):
            if kind == TokenType.TEXT and token != self._text.eos:
                run.append(token)
            elif run:
                texts.append(self._text.decode(run))
                run = []
        return texts + ([self._text.decode(run)] if run else [])


@pytest.fixture
def rows(text):
    """Batch to its rows."""
    return lambda batch: [Row(batch, index, text) for index in range(len(batch["task_id"]))]
