"""The deterministic iterator over batches."""
