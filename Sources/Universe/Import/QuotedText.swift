public import MarketData

/// Text from elsewhere for a log line: in quotes, cut at 80 characters, with nothing in it that steers a terminal.
func quoted(_ text: String) -> String { DisplayText.quoted(text) }

extension DisplayText {
    /// A text as one argument of a command, for copying into a shell.
    public static func argument(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "._:/+-".utf8.contains(byte)
        }
        return isPlain && !text.isEmpty ? text : "'\(text.replacing("'", with: "'\\''"))'"
    }
}
