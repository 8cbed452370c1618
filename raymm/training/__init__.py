"""Training: one epoch, its evaluation, the committed state, and the loop that ties them together."""
