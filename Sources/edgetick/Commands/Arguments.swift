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

extension ParsableArguments {
    /// Refuses numbers below 1; an option that is not given has none.
    func refuseBelowOne(_ numbers: KeyValuePairs<String, Int?>) throws {
        for case (let option, let number?) in numbers where number < 1 {
            throw ValidationError("\(option): allowed: a number from 1 on")
        }
    }

    /// Refuses options that would have no effect beside another one.
    ///
    /// - Parameter others: The options, and whether each is given.
    func refuse(_ others: KeyValuePairs<String, Bool>, with option: String) throws {
        let given = others.filter { $0.value }.map { $0.key }
        guard given.isEmpty else {
            throw ValidationError("\(option) can't be combined with \(given.joined(separator: " or "))")
        }
    }
}
