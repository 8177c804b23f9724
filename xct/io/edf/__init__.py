"""ESRF's data format (EDF): a file for each frame, facts in .info, .xml and headers."""
