"""Plans in MiniGrid's worlds, BabyAI's levels among them."""
