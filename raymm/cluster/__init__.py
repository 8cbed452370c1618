"""The Ray edges: connecting, preparing data, training, valuing. Nothing else in raymm imports Ray."""
