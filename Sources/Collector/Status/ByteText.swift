extension Int64 {
    /// A number of bytes for people: `1.5 MiB`.
    package var bytesText: String {
        var value = Double(self)
        for unit in ["B", "KiB", "MiB"] {
            if value < 1024 { return unit == "B" ? "\(self) B" : "\((value * 10).rounded() / 10) \(unit)" }
            value /= 1024
        }
        return "\((value * 10).rounded() / 10) GiB"
    }
}
