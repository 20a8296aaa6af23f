"""How fast the bot is beside others: ratios out of one interleaved run; see docs/performance.md."""
