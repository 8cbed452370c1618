"""A sweep: its search space, its trials on Ray Tune, its folder, and what is made of the results.

`raymm.sweep(data, space, out=...)` runs one; `help(raymm.api.sweep.sweep)` describes the arguments.
"""

from raymm.verb import callable_package

callable_package(__name__)
