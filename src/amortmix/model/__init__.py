"""A declaration and everything derived from it: prior, bijection, simulator, likelihood, states, features, table."""
