"""User-space protocol cores with the same contract as the engine."""
