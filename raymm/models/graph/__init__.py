"""A trained model as a graph that runs without raymm: its operations, its files, and whether they answer alike."""
