"""What the cycler says of each cell: cycles, retention, efficiency; and the balance of lithium."""
