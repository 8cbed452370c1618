"""raymm: value every modality of every sample, and re-sample the ones that contribute too little.

Importing this package loads neither Ray nor MLflow; they are loaded by the verbs that need them.
"""

__version__ = "0.1.0"
