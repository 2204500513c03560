"""Parts of a federation as texts: calls of public constructors, and nothing else."""
