"""Volumes that other programs wrote: each layout has a reader, `opening.open_foreign` chooses."""
