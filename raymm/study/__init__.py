"""Studies: arms compared over seeds and data sets, with paired statistics and a report.

`raymm.study(data, arms, out=...)` runs one; `help(raymm.api.study.study)` describes the arguments.
"""

from raymm.verb import callable_package

callable_package(__name__)
