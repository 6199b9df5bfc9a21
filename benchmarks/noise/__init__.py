"""Error rates of the noise statistics, simulated."""
