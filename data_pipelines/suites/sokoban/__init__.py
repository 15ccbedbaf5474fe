"""Sokoban: boxes are pushed onto targets. Levels, rules, pictures and solver are our own."""
