"""Episodes and documents to windows and rows of tokens."""
