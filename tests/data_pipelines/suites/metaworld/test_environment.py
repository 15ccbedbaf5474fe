"""Meta-World as an environment: when an episode ends and what it pays."""

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.metaworld.expert import MetaWorldExpert


def test_meta_world_ends_at_the_first_success():
    env = catalog.make("metaworld.drawer_close")
    episode = run_episode(env, MetaWorldExpert("drawer-close-v3"), 0)
    assert [timestep.reward for timestep in episode.timesteps[1:]] == [0.0] * (len(episode.executed) - 1) + [1.0]
    assert env.success
    assert episode.timesteps[-1].last()
