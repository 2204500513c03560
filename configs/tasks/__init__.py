"""Other tasks than the paper's: sweeps whose figures stand in docs/tasks.md."""
