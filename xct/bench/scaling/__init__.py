"""How a run gets faster with more machines, from what its slabs cost on this one."""
