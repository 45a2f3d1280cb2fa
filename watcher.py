"""`python watcher.py --stack production` keeps a stack converged; the same as `weir watch`."""

import sys

from weir.cli import main

if __name__ == "__main__":
    sys.exit(main(["watch", *sys.argv[1:]]))
