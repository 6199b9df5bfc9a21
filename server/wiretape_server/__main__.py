"""`python -m wiretape_server`: the command line where there is no `wiretape` script."""

from __future__ import annotations

from wiretape_server.entry import main

if __name__ == "__main__":
    main()
