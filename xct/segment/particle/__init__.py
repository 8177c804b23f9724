"""Particles of active material, one by one."""
