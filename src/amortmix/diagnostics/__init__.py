"""How far the networks are from the exact posterior: on simulations, and for one data set."""
