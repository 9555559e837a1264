public import ArgumentParser
import Collector
public import MarketData
public import Store
public import Universe

extension CoveragePeriod.Length: ExpressibleByArgument {}
extension EventStream: ExpressibleByArgument {}
extension GapState: ExpressibleByArgument {}

extension EventKind: ExpressibleByArgument {
    /// A kind in either case.
    public init?(argument: String) { self.init(rawValue: argument.uppercased()) }
}

extension GroupType: ExpressibleByArgument {
    /// A type in either case.
    public init?(argument: String) { self.init(rawValue: argument.uppercased()) }
}

extension Settings.GroupEnvironment: ExpressibleByArgument {
    init?(argument: String) { self.init(rawValue: argument.uppercased()) }
}

extension UniverseImporter.Mode: ExpressibleByArgument {
    /// A mode in either case.
    public init?(argument: String) { self.init(rawValue: argument.lowercased()) }
}
