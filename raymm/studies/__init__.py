"""Where models that version 0.1.0 recorded in MLflow look for their loader: they carry its module's name of then."""
