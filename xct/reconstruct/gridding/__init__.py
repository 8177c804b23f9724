"""The Fourier engine: gridding of filtered spectra."""
