"""Options of the import commands are the importers' dataclasses: declared there, and nowhere else."""

import ast
import dataclasses
import functools
import os
import pathlib
import re
import subprocess
import sys

import pytest

from data_pipelines import importing
from data_pipelines.importing.control import FORMATS, ControlOptions, control_options
from data_pipelines.importing.vision_language import PictureConfig, SourceOptions
from gato_jax import cli
from gato_jax.cli.checking import ExperimentLimits
from gato_jax.cli.common import with_new_flags

_FITS = {"text_tokens", "max_observation_tokens", "window_length", "text_model"}
OWN = {
    "import-data": {"format", "data", "filter", "filter_floor", "validation", "json"},
    "import-text-images": {"format", "data", "validation", "threads", "json"},
    "check-data": {"episodes", "json", *_FITS},
    "check-data --format npz": {"format", "data", "filter", "filter_floor", "validation", "json", "episodes", *_FITS},
    "check-data --format obelics": {"format", "data", "validation", "threads", "json", "items", *_FITS},
}
"""What a command asks for beside the fields of its dataclasses."""

DATACLASSES = {
    "import-data": (ControlOptions,),
    "import-text-images": (SourceOptions, PictureConfig),
    "check-data": (),
    "check-data --format npz": (ControlOptions,),
    "check-data --format obelics": (SourceOptions, PictureConfig),
}


@functools.cache
def shown(command):
    """Option -> its help and default, as `--help` shows them."""
    words = [*command.split(), "--help"]
    run = [sys.executable, "-c", f"import sys; from gato_jax.cli import main\ntry: main({words!r})\n"
           "finally: assert not {'tensorflow', 'jax'} & set(sys.modules)"]  # fmt: skip
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    text = subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout
    parts = re.split(r"\n[│ ]+--", text)[1:]
    return {part.split()[0].rstrip(",").replace("-", "_"): re.sub(r"[│╭╮╰╯─\s]+", " ", part) for part in parts}


@pytest.mark.parametrize("command", sorted(OWN))
def test_every_field_is_an_option(command):
    fields = [field for options in DATACLASSES[command] for field in dataclasses.fields(options)]
    names = {field.name for field in fields}
    option_help = shown(command)
    assert set(option_help) == names | OWN[command]
    for field in fields:
        default = field.default if field.default_factory is dataclasses.MISSING else None
        if isinstance(default, str | int | float):
            assert re.search(rf"\(default: '?{re.escape(str(default))}'?\)", option_help[field.name])
        assert re.search(r"[a-z]{3}.* \(default", option_help[field.name]), f"{field.name} has no help"


@pytest.mark.parametrize(("command", "check"), [("import-data", "npz"), ("import-text-images", "obelics")])
def test_the_check_takes_every_option_of_an_import(command, check):
    """So that what it advises can be tried."""
    assert set(shown(command)) <= set(shown(f"check-data --format {check}"))


def test_the_check_advises_only_what_it_takes():
    """Options in the texts of problems and errors, by the importer whose files they stand in."""
    root = pathlib.Path(importing.__file__).parent
    control, texts = (set(shown(f"check-data --format {form}")) for form in ("npz", "obelics"))
    files = {"control": control, "vision_language": texts, "check": control | texts, "common": control & texts}
    advised = {}
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = re.findall(r"(?<![\w-])--([a-z][a-z0-9-]+)", node.value)
                advised.setdefault(path.relative_to(root).parts[0], set()).update(w.replace("-", "_") for w in words)
    assert {"action_low", "frame_size"} <= advised["control"]
    for importer, words in advised.items():
        assert words <= files.get(importer, set()) | {"format", "importer"}, importer


def test_formats_are_those_of_the_registry():
    assert f"one of {', '.join(FORMATS)}." in shown("check-data --format npz")["format"]


@pytest.mark.parametrize(
    ("words", "importer"),
    [
        ("--format npz", "import-data"),
        ("--format obelics", "import-text-images"),
        ("--format parquet", "import-data"),
        ("--format parquet --columns text body", "import-text-images"),
        ("--format parquet --columns episode n --leave-out a", "import-data"),
        ("--format parquet --size=64", "import-text-images"),
        ("--format parquet --importer import-text-images", "import-text-images"),
        ("--importer import-text-images --format=parquet", "import-text-images"),
    ],
)
def test_which_import_is_checked(monkeypatch, words, importer):
    """Both importers read parquet files; the options tell which is meant."""
    asked = {}
    monkeypatch.setattr("data_pipelines.importing.check.check_data", lambda *_, **settings: asked.update(settings))
    monkeypatch.setattr("gato_jax.cli.checking._tell", lambda report, json: None)
    cli.main(["check-data", "source", *words.split()])
    assert isinstance(asked["options"], ControlOptions if importer == "import-data" else SourceOptions)


def test_another_importer_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["check-data", "source", "--importer", "record"])
    assert "--importer is one of import-data, import-text-images, found 'record'" in capsys.readouterr().err


class Asked(Exception):
    """Stands for the import."""


@pytest.fixture
def read(monkeypatch):
    """Options on the command line to what the importer gets."""

    def import_data(*_, **settings):
        raise Asked(settings)

    def parsed(*words):
        with pytest.raises(Asked) as caught:
            cli.main(["import-data", "source", "toy.task", "--format", "npz", *words])
        return caught.value.args[0]

    monkeypatch.setattr("data_pipelines.importing.control.import_data", import_data)
    return parsed


def test_words_become_values(read):
    words = (
        "--columns truncated '' --observation a x b y --leave-out a b --action x y --kinds a text action discrete "
        "--num-values action 5 --action-low -2 --action-high 2.5 --clip-actions --rewards shifted --last-step real "
        "--float64 refuse --channels rgb --bad-episodes leave-out --videos leave-out --frame-size a 32x48 b 16x16"
    )
    options = control_options(
        columns={"truncated": ""}, observation={"a": "x", "b": "y"}, leave_out=("a", "b"), action=("x", "y"),
        kinds={"a": "text", "action": "discrete"}, num_values={"action": 5}, action_low=-2, action_high=2.5,
        clip_actions=True, rewards="shifted", last_step="real", float64="refuse", channels="rgb",
        bad_episodes="leave-out", videos="leave-out", frame_size=("a", "32x48", "b", "16x16"),
    )  # fmt: skip
    parsed = read(*[word.strip("'") for word in words.split()])["options"]
    assert dataclasses.asdict(parsed) == dataclasses.asdict(options)
    assert dataclasses.asdict(read()["options"]) == dataclasses.asdict(ControlOptions())
    assert read("--filter", "0.8")["filter"].share == 0.8
    assert read("--action-range", "data")["options"].action_range.value == "data"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--action-low", "1"], 1, "gato import-data: give action_low and action_high together, found 1.0 and None"),
        (["--frame-size", "32"], 1, "gato import-data: frame_size: expected HEIGHTxWIDTH in whole pixels"),
        (["--kinds", "a", "sound"], 1, "gato import-data: kinds: expected ['text', 'image', 'discrete', 'continuous']"),
        (["--columns", "colour", "red"], 1, "gato import-data: columns: expected roles among"),
        (["--filter-floor", "1"], 2, "gato import-data: --filter-floor needs --filter"),
        (["--rewards", "late"], 2, "invalid choice 'late' for argument '--rewards'"),
        (["--format", "npzz"], 1, "gato import-data: no import format 'npzz'; nearest: ['npz']"),
    ],
)
def test_what_is_wrong_is_told_once(words, code, says, capfd):
    form = [] if "--format" in words else ["--format", "npz"]
    with pytest.raises(SystemExit) as ended:
        cli.main(["import-data", "source", "toy.task", *form, *words])
    assert ended.value.code == code
    assert says in capfd.readouterr().err


def test_the_old_option_of_check_data_works_and_warns():
    with pytest.warns(FutureWarning, match="--segment-length is now called --window-length"):
        assert with_new_flags(ExperimentLimits, ["DATA", "--segment-length=26"]) == ["DATA", "--window-length=26"]
    assert "window_length" in {field.name for field in dataclasses.fields(ExperimentLimits)}
