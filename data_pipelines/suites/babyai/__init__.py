"""BabyAI levels of MiniGrid."""
