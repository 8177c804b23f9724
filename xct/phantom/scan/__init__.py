"""The virtual scan: a sample in a beam, in front of a detector."""
