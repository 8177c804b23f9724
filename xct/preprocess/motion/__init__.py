"""How a sample moves during a scan. In: line integrals of some rows; out: shifts of views."""
