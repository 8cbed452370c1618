"""Samples that a trained model is asked about: what a person gives, which file is what, and how it is read.

Files are decoded by the kinds of the model's schema as `raymm prepare` decodes them, and nothing is written.
"""
