"""`python -m bot`, the same as `qianshao`."""

from bot.cli import main

main()
