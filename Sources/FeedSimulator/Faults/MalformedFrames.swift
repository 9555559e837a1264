/// Invalid frames of several kinds; nothing in them can be mistaken for an event.
enum MalformedFrames {
    /// Returns the frame with this number; the kinds take turns.
    static func frame(_ number: Int) -> String { sorts[number % sorts.count] }

    static let sorts: [String] = [
        // Cut in the middle.
        #"[{"ev":"AM","sym":"AAPL","v":1200,"o":18"#,
        // Not JSON.
        "feed restarting, please wait",
        // Wrong types.
        #"[{"ev":"AM","sym":"AAPL","v":"many","o":true,"c":[],"h":{},"l":null,"s":"soon","e":"later"}]"#,
        #"[{"ev":"T","sym":42,"p":"high","s":[1],"t":{}}]"#,
        // Not numbers.
        #"[{"ev":"T","sym":"AAPL","p":NaN,"s":100,"t":1704205800000}]"#,
        #"[{"ev":"Q","sym":"AAPL","bp":-Infinity,"ap":1e999,"t":1e400}]"#,
        // Without a field that an event needs, or of an unknown kind.
        #"[{"sym":"AAPL","p":1}]"#,
        #"[{"ev":"AM","v":1,"o":1,"c":1,"h":1,"l":1,"s":1704205800000,"e":1704205860000}]"#,
        #"[{"ev":"ZZ","sym":"AAPL","p":1,"t":1704205800000}]"#,
        // Nothing, or not objects.
        "[]",
        "{}",
        #"[1,"two",null,[]]"#,
        #"["# + String(repeating: "[", count: 3000) + String(repeating: "]", count: 3000) + "]",
        // Text after the end.
        #"[]{"ev":"AM"}]"#,
    ]

    /// Bytes such as those of a compressed message.
    static let compressed: [UInt8] = [0x8A, 0x8E, 0x05, 0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00]
}
