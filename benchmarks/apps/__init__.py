"""Small real applications that the benchmarks record and replay; none knows wiretape."""
