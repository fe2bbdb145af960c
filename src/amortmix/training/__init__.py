"""Training on simulations: recipe, schedule, compiled step, loop, checkpoint."""
