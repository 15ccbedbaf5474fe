"""RGB stacking in simulation: a robot arm over a basket puts a red object on a blue one."""
