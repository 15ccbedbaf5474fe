from gato_jax.serving.statistics import KEPT, Statistics


def test_percentiles_are_of_the_latest_actions():
    counts = Statistics()
    assert counts.percentiles() == {}
    for _ in range(5):
        counts.acted(1e6)
    for milliseconds in range(KEPT):
        counts.acted(milliseconds % 101)
    assert counts.actions == KEPT + 5
    assert counts.percentiles()["worst"] == 100
    assert abs(counts.percentiles()["p50"] - 50) <= 1


def test_prometheus_reads_it():
    counts = Statistics(clients=2, connections=3)
    counts.acted(5)
    lines = counts.prometheus().splitlines()
    assert {"gato_clients 2", "gato_connections_total 3", "gato_actions_total 1"} <= set(lines)
    assert 'gato_latency_milliseconds{quantile="p99"} 5.000' in lines
    assert all(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 for line in lines)
