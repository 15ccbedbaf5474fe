"""The 16 games of OpenAI's Procgen benchmark."""
