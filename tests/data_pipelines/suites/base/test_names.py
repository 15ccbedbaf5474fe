"""Names of tasks from ids."""

import pytest

from data_pipelines.suites.base.names import snake_case, unversioned


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("BabyAI-PutNextS5N2-v0", "baby_ai_put_next_s5n2"),
        ("AntMaze_UMaze-v5", "ant_maze_u_maze"),
        ("MiniGrid-Empty-5x5-v0", "mini_grid_empty_5x5"),
        ("ALE/Pong-v5", "pong"),
        ("HumanoidStandup-v5", "humanoid_standup"),
    ],
)
def test_an_id_gives_its_name(identifier, name):
    assert snake_case(unversioned(identifier)) == name
