"""Values that try to become more than the value of one parameter."""

# Those that are one line of printable characters: as harmless as any other text, where nothing reads them as code.
SHOWY = (
    "; rm -rf /",
    "$(touch owned)",
    "`touch owned`",
    "&& touch owned",
    "| tee owned",
    "> owned",
    "$HOME",
    "${IFS}",
    "~",
    "*",
    "a b",
    "' '",
    '" "',
    "\\",
    "\\'; touch owned; '",
    "{x}",
    "{0.__class__}",
    "%s%n",
    "!!",
    "#",
    "@file",
    "é日本🙂",
    "x" * 1_024,
)
# Those that a program could take for options, if one stood alone in an argument.
OPTIONS = ("--option", "--output=owned", "-rf", "-", "--", "-o owned")
# Those that no command line holds, or that are read as something else than they are.
NEVER = (
    "",
    "a\nb",
    "\n",
    "a\r",
    "a\0b",
    "\0",
    "\t",
    "\x1b[2J",
    "\ud800",
    "\u202ecod.exe",
    "\xa0",
    "\u2028",
    "x" * 5_000,
)
EVERYTHING = (*SHOWY, *OPTIONS, *NEVER)
