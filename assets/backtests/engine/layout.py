"""Names of the places in the simulation's rows of float64."""

# One row per symbol: its position and its orders.
UNITS = 0  # signed, base units
ENTRY = 1  # mean entry price
STOP = 2  # protective orders of the position, NaN for none
TAKE = 3
TRAIL = 4  # distance in price
EXTREME = 5  # best price since the entry
ORDER = 6  # units that the waiting order leads to, NaN for no order
LIMIT = 7  # of the waiting order; with TRIGGER also NaN it is a market order
TRIGGER = 8
NEXT_STOP = 9  # protective orders that the waiting order brings along
NEXT_TAKE = 10
NEXT_TRAIL = 11
OPENED = 12  # bar of the entry
PNL = 13  # of the open trade so far, before fees
FEES = 14
SLIPPAGE = 15
FUNDING = 16
LARGEST = 17  # units at most
FILLED = 18  # units filled in this bar
MARK = 19  # last known close
BOOK = 20

# The account that all symbols share.
CASH = 0
PAID_FEES = 1
PAID_SLIPPAGE = 2
PAID_FUNDING = 3
TURNOVER = 4
REJECTED = 5  # orders below the least notional, or with no stop to size them by
LIQUIDATED = 6
AMBIGUOUS = 7  # bars whose path decides what they are worth
PARTIAL = 8  # fills cut by the share of volume
CLIPPED = 9  # entries cut by what the account could pay
TRADES = 10
ACCOUNT = 11

# Terms of one symbol.
LOT = 0
LEAST_NOTIONAL = 1
MAKER = 2  # ratios
TAKER = 3
LEVERAGE = 4
MAINTENANCE = 5
SHORT = 6  # 1 where short positions exist
SLIP = 7  # ratio of the price that a taker loses
IMPACT = 8  # and more of it: times the square of the share of the bar's volume
SHARE = 9  # most of a bar's volume that may be filled
TERMS = 10

# Position size.
FRACTION = 0  # of equity
RISK = 1  # of equity, lost at the stop
VOLATILITY = 2  # annual, of the position

# One row per trade.
TRADE_COLUMNS = (
    "symbol",
    "side",
    "entered",
    "left",
    "units",
    "entry",
    "exit",
    "pnl",
    "fees",
    "slippage",
    "funding",
    "reason",
)
REASONS = ("target", "stop", "take", "trail", "liquidation", "open")
TARGET_EXIT, STOP_EXIT, TAKE_EXIT, TRAIL_EXIT, LIQUIDATION_EXIT, STILL_OPEN = range(6)

PESSIMISTIC, EXPECTED, OPTIMISTIC = range(3)
SCENARIOS = ("pessimistic", "expected", "optimistic")
