"""A package that raymm does not know, with whole models in it."""
