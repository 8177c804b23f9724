"""Raw scans of full width through the whole recipe: time, memory and disk, killed and resumed."""
