"""Learning bridges, and the spanning tree that keeps them from forming loops."""
