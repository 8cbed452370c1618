"""Models: encoders, fusion, the model of both, how it is saved, and how it answers when it is served."""
