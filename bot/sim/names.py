"""The names and rough prices the simulated universe is built from. Prices only have to look right."""

CRYPTO: tuple[tuple[str, float], ...] = (
    ("BTC", 86_400.0), ("ETH", 2_830.0), ("SOL", 131.0), ("XRP", 2.05), ("BNB", 842.0), ("DOGE", 0.142),
    ("1000PEPE", 0.0046), ("ADA", 0.41), ("SUI", 1.52), ("HYPE", 33.5), ("AVAX", 13.3), ("LINK", 12.6),
    ("1000SHIB", 0.0081), ("LTC", 84.0), ("BCH", 545.0), ("ZEC", 512.0), ("TRX", 0.276), ("DOT", 2.31),
    ("NEAR", 1.94), ("AAVE", 165.0), ("UNI", 6.25), ("ENA", 0.243), ("WIF", 0.351), ("TAO", 287.0),
    ("ARB", 0.208), ("OP", 0.305), ("FIL", 1.63), ("APT", 2.42), ("WLD", 0.612), ("ETC", 13.6),
    ("XLM", 0.246), ("HBAR", 0.141), ("TON", 1.55), ("1000BONK", 0.0093), ("币安人生", 0.122), ("PUMP", 0.0027),
    ("ASTER", 1.12), ("FARTCOIN", 0.254), ("TRUMP", 6.2), ("ICP", 4.1), ("ATOM", 2.47), ("INJ", 5.6),
    ("SEI", 0.132), ("TIA", 0.62), ("ONDO", 0.487), ("CRV", 0.395), ("LDO", 0.652), ("JUP", 0.231),
    ("PENGU", 0.0104), ("ALGO", 0.138), ("XMR", 361.0), ("DASH", 58.0), ("GALA", 0.0071), ("SAND", 0.152),
    ("AXS", 1.16), ("MANA", 0.161), ("IMX", 0.312), ("RENDER", 1.72), ("FET", 0.251), ("STX", 0.302),
    ("1000FLOKI", 0.0465), ("ORDI", 4.1), ("PENDLE", 2.11), ("ENS", 11.2), ("RUNE", 0.68), ("DYDX", 0.21),
    ("GMX", 8.6), ("COMP", 31.0), ("SNX", 0.52), ("VIRTUAL", 0.93), ("AI16Z", 0.021), ("KAITO", 0.64),
    ("S", 0.107), ("BERA", 1.02), ("IP", 2.6), ("MOVE", 0.043), ("EIGEN", 0.56), ("ETHFI", 0.79),
    ("STRK", 0.146), ("ZK", 0.041), ("ZRO", 1.35), ("W", 0.045), ("JTO", 0.48), ("PYTH", 0.077),
    ("BLUR", 0.033), ("MEME", 0.0013), ("NOT", 0.00061), ("CAKE", 2.3), ("SUSHI", 0.34), ("1INCH", 0.18),
    ("GRT", 0.048), ("THETA", 0.33), ("VET", 0.0137), ("EGLD", 8.2), ("FLOW", 0.23), ("CHZ", 0.031),
    ("APE", 0.25), ("GMT", 0.018), ("ROSE", 0.016), ("KAVA", 0.11), ("ZIL", 0.0057), ("QTUM", 1.5),
    ("NEO", 4.2), ("IOTA", 0.103), ("XTZ", 0.49), ("KSM", 8.4), ("ANKR", 0.0071), ("SKL", 0.012),
    ("LPT", 3.6), ("TRB", 22.0), ("YFI", 3_960.0), ("MASK", 0.66), ("CELO", 0.18), ("ONE", 0.0043),
    ("ZEN", 13.1), ("AR", 4.3), ("MINA", 0.089), ("JASMY", 0.0067), ("API3", 0.51), ("BAT", 0.24),
    ("1000SATS", 0.000016), ("1000LUNC", 0.028), ("1000XEC", 0.0118), ("1000RATS", 0.0152), ("1000000MOG", 0.29),
    ("1MBABYDOGE", 0.00071), ("MOODENG", 0.074), ("POPCAT", 0.104), ("BRETT", 0.0166), ("TURBO", 0.0019),
    ("NEIRO", 0.00013), ("PNUT", 0.087), ("GOAT", 0.043), ("ACT", 0.0186), ("CHILLGUY", 0.0171), ("SPX", 0.56),
    ("MORPHO", 1.61), ("SYRUP", 0.26), ("PAXG", 4_110.0), ("XPL", 0.201), ("LINEA", 0.0102), ("WLFI", 0.151),
    ("AVNT", 0.34), ("BARD", 0.79), ("0G", 1.21), ("MIRA", 0.142), ("EDEN", 0.072), ("2Z", 0.128),
    ("KITE", 0.087), ("MON", 0.031), ("牛来", 0.0192), ("SOMI", 0.312), ("HEMI", 0.021), ("HOLO", 0.094),
)  # fmt: skip
"""Base assets in the order of their open interest, with a price in USDT."""

TRADFI: tuple[tuple[str, float, str], ...] = (
    ("XAU", 4_085.0, "COMMODITY"), ("TSLA", 402.0, "EQUITY"), ("XAG", 50.4, "COMMODITY"), ("NVDA", 181.0, "EQUITY"),
    ("MSTR", 176.0, "EQUITY"), ("COIN", 243.0, "EQUITY"), ("HOOD", 108.0, "EQUITY"), ("CRCL", 71.5, "EQUITY"),
    ("PLTR", 156.0, "EQUITY"), ("AMZN", 222.0, "EQUITY"), ("META", 597.0, "EQUITY"), ("GOOGL", 301.0, "EQUITY"),
    ("INTC", 34.8, "EQUITY"), ("EWY", 88.0, "EQUITY"), ("EWJ", 81.0, "EQUITY"), ("PAYP", 60.2, "EQUITY"),
    ("CL", 58.2, "COMMODITY"), ("BZ", 62.4, "COMMODITY"), ("NATGAS", 4.58, "COMMODITY"), ("COPPER", 5.01, "COMMODITY"),
    ("XPT", 1_520.0, "COMMODITY"), ("XPD", 1_385.0, "COMMODITY"),
)  # fmt: skip
"""Underlyings outside crypto: name, price, underlying type."""

USDC = ("BTC", "ETH", "SOL", "XRP", "DOGE", "1000PEPE", "SUI", "BNB", "LINK", "AVAX", "ENA", "WLD", "UNI", "FIL")
"""Bases that also trade against USDC."""

COIN_MARGINED = ("BTCUSD_PERP", "ETHUSD_PERP", "SOLUSD_PERP", "BTCUSD_270326")
"""Rows of the sister market that slip into the all-market arrays (`st` 2)."""

SYLLABLES = ("BA", "CRO", "DEX", "EL", "FA", "GO", "HY", "IX", "JU", "KO", "LU", "MA", "NO", "OR", "PI", "QU", "RA",
             "SO", "TE", "UX", "VA", "WE", "XA", "YO", "ZE", "NE", "TRI", "LO", "MEK", "SUN")  # fmt: skip
"""Names past the known ones are made of these."""
