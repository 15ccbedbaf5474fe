"""One compiled update."""
