"""Scans of P05 and P07, PETRA III (DESY)."""
