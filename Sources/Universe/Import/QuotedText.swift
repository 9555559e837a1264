import MarketData

/// Somebody else's text for a log line: in quotes, cut at 80 characters, nothing in it that steers a terminal.
func quoted(_ text: String) -> String { DisplayText.quoted(text) }
