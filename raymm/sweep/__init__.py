"""A sweep: its search space, its trials on Ray Tune, its folder, and what is made of the results."""
