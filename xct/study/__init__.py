"""Several cells side by side: one report, with tables and figures."""
