"""What `gato record` refuses on its command line, before it opens anything."""

import pytest

from gato_jax import cli

WORLD = ["record", "gymnasium:CartPole-v1", "--expert", "random"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            [*WORLD, "--tasks", "babyai.go_to_obj"],
            2,
            "name tasks once, found gymnasium:CartPole-v1 and --tasks babyai.go",
        ),
        (
            [*WORLD, "--kwargs", "{g: 9.8}"],
            2,
            "--kwargs: expected a JSON object such as '{\"g\": 9.8}', found '{g: 9.8}'",
        ),
        ([*WORLD, "--kwargs", "[1]"], 2, "--kwargs: expected a JSON object such as '{\"g\": 9.8}', found '[1]'"),
        ([*WORLD, "--name", "pole"], 1, "a task is named domain.task"),
        (["record", "gymnasium:CartPole-v1"], 1, "needs an expert: --expert package.module:callable"),
        (["record", "babyai.go_to_obj", "--bar", "1"], 1, "are for a world of your own"),
        (["record", "my env:make"], 1, "a world is named package.module:factory"),
    ],
)
def test_refused(tmp_path, capsys, arguments, code, message):
    with pytest.raises(SystemExit) as caught:
        cli.main([*arguments, "--out", str(tmp_path / "DATA")])
    assert caught.value.code == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "DATA").exists()
