"""The public functions, one module a verb; `import raymm` has them all, and the command line calls them.

A function takes the options of the verb of its name as typed arguments, prints nothing, tells a `Progress` how far it
is, and returns a result that can be looked at. What it raises for a mistake is a `RaymmError`.
"""
