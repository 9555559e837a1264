public import MarketData

extension EventSink {
    /// Records one gap, as it is.
    public func record(_ gap: Gap) { record(GapChange(gaps: [gap])) }
}
