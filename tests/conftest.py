"""Settings of the whole test run, and the recorded data that its tests share."""

import fcntl
import os
import pathlib
import re
import sys
import tempfile

import pytest

# Before anything imports dm_control: TensorFlow and an OpenGL renderer cannot share a process, and tests use both
# floors in one. What renders starts a process of its own.
os.environ["MUJOCO_GL"] = "disabled"

# What these tests record names worlds of its own: that stays out of the account's file of known worlds.
os.environ["XDG_CONFIG_HOME"] = str(pathlib.Path(tempfile.gettempdir()) / f"gato-jax-test-config-{os.getuid()}")

TASKS = ("babyai.go_to_obj", "babyai.go_to_red_ball_grey", "metaworld.drawer_close", "text.python_docs", "vqa.easy_vqa")
EPISODES = 12
LONGEST = (
    "test_quickstart.py", "test_processes.py", "test_step.py", "test_training.py", "test_stream.py", "test_recorder.py",
    "test_experiments.py", "test_writer.py", "test_style.py", "test_evaluate.py", "test_exports.py",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """The longest files first: begun last, one would run while all other workers have nothing left to do."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """pytest-xdist says which test killed its worker, but not how: -9 is a kill, such as for want of memory."""
    if error:
        code = node.gateway._io.popen.wait(timeout=60)
        print(f"\n{node.gateway.id} ended with code {code}", file=sys.stderr, flush=True)


@pytest.fixture(scope="module", autouse=True)
def _forget_compiled_programs():
    """Programs of a file are of no use to the next one, and a worker of the whole suite would hold gigabytes."""
    yield
    if jax := sys.modules.get("jax"):
        jax.clear_caches()


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Opens a page in headless Chromium at two widths, light and dark: it must ask for nothing and complain of nothing.

    Returns the browser, which shows the page as a phone does, in the dark.
    """
    from tests import chromium

    if chromium.PROGRAM is None:
        pytest.skip("no Chromium on this machine, in which pages would be opened")
    with chromium.Page(tmp_path_factory.mktemp("chromium")) as browser:

        def check(page: pathlib.Path) -> chromium.Page:
            for width, dark in ((1100, False), (375, False), (375, True)):
                browser.complaints.clear()
                browser.open(page, width=width, dark=dark)
                assert browser.complaints == [], f"{page.name} at {width} px"
                laid_out = browser.run("document.documentElement.scrollWidth")
                assert laid_out <= width, f"{page.name} is {laid_out} px wide in a window of {width} px"
                asked = browser.run("performance.getEntriesByType('resource').map(entry => entry.name)")
                assert [name for name in asked if not name.startswith("data:")] == [], f"{page.name} asks for more"
            return browser

        yield check


@pytest.fixture(scope="session")
def recorded_data(tmp_path_factory, worker_id) -> pathlib.Path:
    """A small data directory: two BabyAI levels, one Meta-World task, text and picture questions."""
    from data_pipelines import recording

    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    out = base / "recorded_data"
    with (base / "recorded_data.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        recording.record(TASKS, out, workers=2, episodes=EPISODES, progress=lambda progress: None)
    return out


ADD_A_TASK = pathlib.Path(__file__).parents[1] / "docs" / "add-a-task.md"
CARTPOLE, CORRIDOR = "gymnasium.cartpole_v1", "my_domain.corridor"
EXPERT = """
def act(observation):
    if isinstance(observation, dict):  # the corridor
        return 1
    position, velocity, angle, turning = observation
    return int(0.1 * position + 0.3 * velocity + 3 * angle + turning > 0)
"""


@pytest.fixture(scope="session")
def outsiders(tmp_path_factory) -> pathlib.Path:
    """A folder on sys.path with the modules of a stranger: the code of docs/add-a-task.md, and an expert."""
    folder = tmp_path_factory.mktemp("outsiders")
    (folder / "outside_expert.py").write_text(EXPERT)
    if ADD_A_TASK.exists():  # An installed wheel has no docs.
        code = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", ADD_A_TASK.read_text(), re.DOTALL))
        for name, text in code.items():
            (folder / name).write_text(text)
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def outside_data(outsiders, tmp_path_factory, worker_id) -> pathlib.Path:
    """A data directory with CartPole of gymnasium, and the world of docs/add-a-task.md."""
    from data_pipelines import recording

    base = tmp_path_factory.getbasetemp()
    out = (base if worker_id == "master" else base.parent) / "outside_data"
    worlds = ["gymnasium:CartPole-v1", *(["corridor:Corridor"] if ADD_A_TASK.exists() else [])]
    config = recording.RecordingConfig(episodes=4, random_episodes=4)
    with out.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        recording.record(
            worlds, out, workers=1, config=config, world=recording.WorldOptions(expert="outside_expert:act"),
            progress=lambda progress: None,
        )  # fmt: skip
    return out
