"""What a run says at its end."""

from pathlib import Path

from gato_jax.training.result import ended


def end(step, steps, **changes):
    defaults = {"seconds": 3.0, "loss": 2.5, "loss_step": step, "measured": True, "signalled": False}
    return ended(step, steps, Path("runs/a"), **(defaults | changes)).message


def test_a_loss_is_that_of_its_own_step():
    assert end(30, 30) == "runs/a: trained 30 steps in 3 s, loss 2.5000"
    assert end(15, 30) == "runs/a: interrupted; saved at step 15 of 30, loss 2.5000"
    assert end(15, 30, loss_step=10).endswith("saved at step 15 of 30, loss 2.5000 at step 10, the last record")
    assert end(15, 30, loss=None, loss_step=None).endswith("saved at step 15 of 30")


def test_one_is_not_many():
    assert end(1, 1, loss=None, loss_step=None) == "runs/a: trained 1 step in 3 s"
