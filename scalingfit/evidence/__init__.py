"""Which law the runs support, and how far it can be trusted."""
