"""`python -m xct` is the command `xct`."""

from xct.cli.main import main

if __name__ == "__main__":
    main()
