import Foundation
import MarketData
import Store
import TestSupport
import Testing

@testable import Universe

/// A real mirror file in its own directory, with the groups that a test asks for.
struct MirrorFixture {
    let directory: String
    let mirror: UniverseMirror

    /// Runs `body` with a fresh mirror and removes it afterwards.
    static func run<Result>(_ body: (MirrorFixture) throws -> Result) throws -> Result {
        let place = try Workspace()
        return try withExtendedLifetime(place) {
            let mirror = try UniverseMirror.open(directory: place.path, access: .readWrite)
            return try body(MirrorFixture(directory: place.path, mirror: mirror))
        }
    }

    /// What a key means, as the cache reads it.
    func resolve(_ key: String, environment: String = "DEFAULT") throws(UniverseError) -> Resolution {
        let result: Result<Resolution, UniverseError>
        do {
            result = try mirror.withSnapshot { try UniverseResolver.resolve(key, in: $0, environment: environment) }
        } catch {
            throw UniverseResolver.unreadable(key, error)
        }
        return try result.get()
    }

    /// Adds a group, or replaces it.
    func add(
        _ name: String, _ symbols: [String], type: GroupType = .universe, environment: String = "DEFAULT"
    ) throws {
        _ = try mirror.apply([
            GroupChange(
                definition: .init(name: name, type: type, environment: environment),
                members: symbols.map { MemberRecord(symbol: $0) })
        ])
    }
}

/// The sample universes beside the package, if they are there.
enum SharedUniverses {
    static var areThere: Bool { Places.sharedData("universes/sp500.csv") != nil }

    static func bytes(_ name: String) throws -> [UInt8] {
        let path = try #require(Places.sharedData("universes/\(name).csv"))
        return Array(try Data(contentsOf: URL(filePath: path)))
    }
}
