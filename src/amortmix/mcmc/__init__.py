"""MCMC for any declared model: CmdStan, PyStan, or NUTS on the marginal likelihood by NumPyro."""
