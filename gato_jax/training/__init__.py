"""From batches to trained weights: loss, optimizer, step, checkpoints, and the loop."""
