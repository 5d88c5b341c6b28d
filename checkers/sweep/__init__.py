"""Every small workload, each explored to its end: what a "holds" of chosen scopes does not say."""
