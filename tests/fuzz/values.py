"""What nobody means to type, and what comes through pipes and forms all the same."""

TEXTS = [
    "", " ", "\t", "\n", "a b", "-", "--", "---", "-x", "--x", "=", "*", "{", "{}", "[", "[]", '"', "'", "\\", "%s",
    "%(x)s", "{0}", "$(id)", "`id`", "; true", "../..", "/", "é", "É", "ﬁ", "日本", "٣", "½", "²", "\u202e", "\u200b",
    "\u2028", "\ufeff", "\x1b[2J", "\x1b]0;x\x07", "\x07", "\x08", "\x7f", "\x85", "\x9b31m", "\r", "a\nb",
    "\U0001f469\u200d\U0001f680", "x" * 5_000, "é" * 70, "x" * 64, "x" * 65, "None", "null", "true", "NULL",
    "' OR 1=1 --", "<script>alert(1)</script>", "{{7*7}}", "%00", "a=b", "a=b=c", "=b",
]  # fmt: skip
NUMBERS = [
    "0", "-0", "1", "-1", "00", "1.5", ".5", "5.", "1e3", "1e400", "-1e400", "nan", "NaN", "inf", "-inf", "Infinity",
    "1_000", "0x10", "0b1", "1,5", "+1", "--1", "- 1", " 1 ", "9" * 5_000, "-" + "9" * 400, "99999999999", "2147483648",
    "9223372036854775808", "100", "101", "-101", "1000", "1001", "32768", "65536",
]  # fmt: skip
DURATIONS = [
    "10m", "1h30m", "90s", "2d", "1h1h", "m", "5x", "-1s", "1.5h", "99999d", "1ms", "0s", "10 m", "9" * 40 + "s",
    "1e5s",
]  # fmt: skip
TIMES = [
    "2026-12-31T23:59:00Z", "2026-12-31", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "24:00", "now", "tomorrow",
    "2026-12-31T23:59:60Z", "2026-12-31T23:59:00+99:99",
]  # fmt: skip
KNOWN = [
    "job1", "dead1", "done1", "running1", "scheduled1", "default", "mail", "1", "pending", "dead", "max-retries",
    "timeout",
]  # fmt: skip
HOSTILE = TEXTS + NUMBERS + DURATIONS + TIMES
SURROGATES = ["\ud800", "a\udcffb", "\udc80"]  # how bytes that are no UTF-8 arrive from a command line
