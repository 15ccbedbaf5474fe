"""What `gato record` and `gato tasks` refuse on their command lines, before they open anything; `gato data`."""

import json
import shutil

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
        (
            ["record", "metaworld.drawer_clos"],
            1,
            "unknown task 'metaworld.drawer_clos'; did you mean metaworld.drawer_",
        ),
        (["record", "metawrld.*"], 1, "no task matches 'metawrld.*'; did you mean metaworld.*?"),
        (
            ["record", "--preset", "locl"],
            1,
            "unknown preset 'locl'; did you mean local? ",
        ),
        (["record", "babyai.*", "--preset", "local"], 2, "name tasks once, found babyai.* and --preset local"),
        (["record", "--tasks-from", "no_such_file"], 1, "No such file or directory: 'no_such_file'"),
        (
            ["record", "babyai.*", "--minutes", "0.01", "--dry-run"],
            1,
            "0.01 minutes are too few: one episode of each of 94 tasks takes about",
        ),
        (["record", "babyai.*", "--minutes", "0"], 2, "--minutes must be in (0, 1e+06], or None, found 0"),
        (["record", "babyai.*", "--filter", "1.5"], 2, "--filter must be in (0, 1], or None, found 1.5"),
        (["tasks", "--row", "Ataari"], 1, "no row 'Ataari' of Table 1; its rows: ['DM Lab', 'ALE Atari',"),
    ],
)
def test_refused(tmp_path, capsys, arguments, code, message):
    with pytest.raises(SystemExit) as caught:
        cli.main([*arguments, "--data" if arguments[0] == "tasks" else "--out", str(tmp_path / "DATA")])
    assert caught.value.code == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") <= 2, "one line, and how to see more"
    assert not (tmp_path / "DATA").exists()


def test_a_summary_and_its_page(recorded_data, tmp_path, capsys):
    level = "babyai.go_to_obj"
    shutil.copytree(recorded_data / level, tmp_path / "DATA" / level)
    command = ["data", "summary", str(tmp_path / "DATA"), "--tasks", "babyai.*"]
    cli.main([*command, "--html", "--out", str(tmp_path / "page.html"), "--json"])
    printed = capsys.readouterr()
    assert [task["task"] for task in json.loads(printed.out)["tasks"]] == [level]
    assert printed.err == f"wrote {tmp_path / 'page.html'}\n"
    assert f'"task":"{level}"' in (tmp_path / "page.html").read_text()
    shard = next((tmp_path / "DATA" / level).rglob("*.tfrecord-*"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(SystemExit) as caught:
        cli.main(command)
    assert caught.value.code == 1
    assert f"{shard}: truncated inside record 0 of 6, at byte 0 of 100" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main([*command, "--html", "--out", str(tmp_path)])
    assert caught.value.code == 1
    assert "expected a file to write, found a directory" in capsys.readouterr().err
