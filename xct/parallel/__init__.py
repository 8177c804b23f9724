"""Working in pieces: blocks, threads, and the compiler of kernels."""
