"""Episodes and documents to segments and rows of tokens."""
