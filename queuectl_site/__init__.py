"""The site that hosts the `jobs` app: settings, URLs, the console script, the demonstration."""
