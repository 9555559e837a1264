/// Sample data that the binary carries, made by this project.
public enum Fixtures {
    /// Five minutes of a made-up market in the symbols of ``demoUniverse``: minute and second bars, trades, quotes.
    ///
    /// One line is one text frame as the feed sends it. The prices are a random walk and no one's real prices. It is made
    /// again by `EDGETICK_UPDATE_FIXTURES=1 swift test --filter "bundled capture"`, and a test checks that it is so.
    public static var demoCapture: [UInt8] { PackageResources.demo_ndjson }

    /// Twelve large US companies, as a plain CSV with the column `symbol`.
    public static var demoUniverse: [UInt8] { PackageResources.demo_csv }

    /// A made-up fund of the same companies, as a plain CSV with the columns `symbol` and `weight` (percent, sum 100).
    public static var demoFund: [UInt8] { PackageResources.demo_fund_csv }
}
