/// Sample data that the binary carries, made by this project. The captures beside it are for tests.
///
/// `captures/demo.ndjson` is five minutes of a made-up market in the symbols of ``demoUniverse``. The prices are a random walk
/// and no one's real prices. It is made again by `EDGETICK_UPDATE_FIXTURES=1 swift test --filter "bundled capture"`, and a
/// test checks that it is so.
public enum Fixtures {
    /// Twelve large US companies, as a plain CSV with the column `symbol`.
    public static var demoUniverse: [UInt8] { PackageResources.demo_csv }
}
