"""The classic control problems of gymnasium."""
