"""`python -m raymm VERB ...`: the command line without its script, for example in `ray job submit`."""

from raymm.cli import main

if __name__ == "__main__":
    main()
