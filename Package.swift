// swift-tools-version: 6.2
import PackageDescription

/// Warnings stop the gate (`.ci/run`), not whoever builds with a newer compiler.
let warnings: [SwiftSetting] =
    Context.environment["SWIFT_WARNINGS_ARE_ERRORS"] == nil ? [] : [.treatAllWarnings(as: .error)]

/// Every target of ours is held to the same rules.
let strict: [SwiftSetting] =
    warnings + [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioFoundationCompat = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

let package = Package(
    name: "EdgeTick",
    products: [
        .executable(name: "edgetick", targets: ["edgetick"]),
        // For Benchmarks/, which measures them one by one.
        .library(name: "EdgeTickModules", targets: ["Feed", "MarketData", "Store", "Universe"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        // What flows: values without I/O.
        .target(name: "MarketData", swiftSettings: strict),

        // Embedded SQL and sample data.
        .target(
            name: "Migrations", path: "Migrations",
            resources: [.embedInCode("Local"), .embedInCode("Upstream")], swiftSettings: strict),
        .target(
            name: "Fixtures", path: "Fixtures", exclude: ["captures", "universes/demo_fund.csv"],
            resources: [.embedInCode("universes/demo.csv")], swiftSettings: strict),

        // One module per heavy dependency.
        .target(
            name: "Feed",
            dependencies: [
                "MarketData", logging, nioCore, nioHTTP1, nioPosix, nioSSL, nioWebSocket, serviceLifecycle,
            ],
            swiftSettings: strict),
        .target(
            name: "Store", dependencies: ["CSQLite", "MarketData", "Migrations", grdb, grdbSQLite, logging],
            swiftSettings: strict),
        .systemLibrary(name: "CSQLite"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Compression", dependencies: ["CZlib"], swiftSettings: strict),
        .systemLibrary(
            name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(
            name: "Upstream", dependencies: ["CPostgres", "MarketData", "Migrations", logging],
            swiftSettings: strict),

        .target(
            name: "Backfill",
            dependencies: [
                "Compression", "MarketData", "Store", "Upstream", asyncHTTPClient, logging, nioCore, nioHTTP1, nioSSL,
                serviceLifecycle,
            ],
            swiftSettings: strict),

        // Files for other programs.
        .target(name: "Parquet", dependencies: ["Compression"], swiftSettings: strict),
        .target(
            name: "Export", dependencies: ["Compression", "MarketData", "Parquet", "Store", "Upstream"],
            swiftSettings: strict),

        // What the parts do together.
        .target(name: "Universe", dependencies: ["Compression", "MarketData", "Store"], swiftSettings: strict),
        .target(
            name: "Collector",
            dependencies: ["Feed", "MarketData", "Store", "Universe", "Upstream", logging, serviceLifecycle],
            swiftSettings: strict),
        .target(
            name: "Wire", dependencies: ["Collector", "Export", "Feed", "MarketData", "Store", "Universe", "Upstream"],
            swiftSettings: strict),
        .target(
            name: "FeedServer",
            dependencies: ["MarketData", logging, nioCore, nioHTTP1, nioPosix, nioSSL, nioWebSocket],
            swiftSettings: strict),
        .target(
            name: "FeedSimulator",
            dependencies: ["Compression", "FeedServer", "MarketData", logging, nioCore, nioPosix, serviceLifecycle],
            swiftSettings: strict),
        .target(
            name: "Relay",
            dependencies: [
                "Collector", "FeedServer", "MarketData", "Store", logging, nioCore, nioPosix, serviceLifecycle,
            ],
            swiftSettings: strict),
        .target(
            name: "WebAPI",
            dependencies: [
                "Collector", "Compression", "Feed", "MarketData", "Store", "Universe", "Wire", httpTypes, hummingbird,
                hummingbirdCore, logging, nioCore, nioHTTP1, nioHTTPTypes, serviceLifecycle,
            ],
            resources: [.embedInCode("Dashboard")], swiftSettings: strict),
        // What a release build is made of, linked in by `make build`.
        .systemLibrary(name: "CBuild"),
        // glibc's own settings, which its Swift module leaves out.
        .systemLibrary(name: "CMalloc"),
        .executableTarget(
            name: "edgetick",
            dependencies: [
                "Backfill", "CBuild", "CMalloc", "Collector", "Export", "Feed", "FeedServer", "FeedSimulator",
                "Fixtures",
                "MarketData", "Relay", "Store", "Universe", "Upstream", "WebAPI", "Wire", argumentParser,
                asyncHTTPClient,
                logging, nioCore, nioFoundationCompat, nioHTTP1, serviceLifecycle, systemPackage, unixSignals,
            ],
            swiftSettings: strict),

        // Tests: one target a module, and those that run the product as its users do.
        .target(
            name: "TestSupport", dependencies: ["MarketData", "Store", logging], path: "Tests/Support",
            exclude: ["ClockShim"], swiftSettings: strict),
        .target(
            name: "DecoderFuzz", dependencies: ["Feed", "MarketData"], path: "Tests/DecoderFuzz",
            swiftSettings: strict),
        .executableTarget(
            name: "decoder-fuzz", dependencies: ["DecoderFuzz", "MarketData"], path: "Tests/Fuzz",
            exclude: ["build"], swiftSettings: strict),
        .target(
            name: "LedgerSupport", dependencies: ["FeedSimulator", "MarketData"], path: "Tests/LedgerSupport",
            swiftSettings: strict),
        .testTarget(name: "MarketDataTests", dependencies: ["MarketData", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "FeedTests",
            dependencies: [
                "DecoderFuzz", "Feed", "MarketData", "Store", "TestSupport", logging, nioCore, nioHTTP1, nioPosix,
                nioSSL, nioWebSocket, serviceLifecycle,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "FeedSetTests",
            dependencies: [
                "Feed", "FeedServer", "FeedSimulator", "LedgerSupport", "MarketData", "TestSupport", logging,
                serviceLifecycle,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "BackfillTests",
            dependencies: [
                "Backfill", "Feed", "FeedServer", "FeedSimulator", "LedgerSupport", "MarketData", "Store",
                "TestSupport",
                "Upstream", logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "StoreTests",
            dependencies: ["MarketData", "Migrations", "Store", "TestSupport", grdb, grdbSQLite, logging],
            exclude: ["Schemas"], swiftSettings: strict),
        .testTarget(
            name: "UpstreamTests", dependencies: ["MarketData", "TestSupport", "Upstream", logging],
            swiftSettings: strict),
        .testTarget(
            name: "ExportTests",
            dependencies: ["Export", "MarketData", "Parquet", "Store", "TestSupport", "Upstream", grdb, logging],
            swiftSettings: strict),
        .testTarget(
            name: "UniverseTests", dependencies: ["Compression", "MarketData", "Store", "TestSupport", "Universe"],
            swiftSettings: strict),
        .testTarget(
            name: "CollectorTests",
            dependencies: [
                "Collector", "Feed", "FeedSimulator", "MarketData", "Store", "TestSupport", "Universe", "Upstream",
                logging, serviceLifecycle,
            ],
            swiftSettings: strict),
        .target(
            name: "FeedServerSupport",
            dependencies: ["FeedServer", "TestSupport", nioCore, nioHTTP1, nioPosix, nioSSL, nioWebSocket],
            path: "Tests/FeedServerSupport", swiftSettings: strict),
        .testTarget(
            name: "FeedServerTests",
            dependencies: ["FeedServer", "MarketData", "TestSupport", nioCore, nioEmbedded, nioHTTP1],
            swiftSettings: strict),
        .testTarget(
            name: "WireTests", dependencies: ["Collector", "MarketData", "TestSupport", "Universe", "Wire"],
            swiftSettings: strict),
        .testTarget(
            name: "FeedSimulatorTests",
            dependencies: [
                "FeedServer", "FeedServerSupport", "FeedSimulator", "Fixtures", "LedgerSupport", "MarketData",
                "TestSupport", logging, nioCore, nioPosix, nioWebSocket, serviceLifecycle,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "RelayTests",
            dependencies: [
                "Backfill", "Collector", "Feed", "FeedServer", "FeedServerSupport", "FeedSimulator", "LedgerSupport",
                "MarketData", "Relay", "Store", "TestSupport", "Universe", "edgetick", logging, nioCore, nioWebSocket,
                serviceLifecycle,
            ],
            swiftSettings: strict),
        .target(
            name: "WebAPISupport",
            dependencies: [
                "Collector", "Feed", "MarketData", "Store", "TestSupport", "Universe", "WebAPI", logging,
                serviceLifecycle,
            ],
            path: "Tests/WebAPISupport", swiftSettings: strict),
        .testTarget(
            name: "WebAPITests",
            dependencies: [
                "Collector", "Feed", "MarketData", "Store", "TestSupport", "Universe", "WebAPI", "WebAPISupport",
                "Wire",
                httpTypes, logging, nioCore, serviceLifecycle,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "BrowserTests",
            dependencies: [
                "Collector", "Feed", "MarketData", "Store", "TestSupport", "Upstream", "WebAPI", "WebAPISupport",
                "edgetick",
            ],
            exclude: ["accessibility.js"], swiftSettings: strict),
        .testTarget(
            name: "edgetickTests",
            dependencies: [
                "Backfill", "Collector", "edgetick", "Feed", "FeedServer", "MarketData", "Relay", "Store",
                "TestSupport", "Universe", "Upstream", "WebAPI", "Wire", argumentParser, logging, serviceLifecycle,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests", dependencies: ["MarketData", "TestSupport", "WebAPISupport", "edgetick"],
            swiftSettings: strict),
        .testTarget(
            name: "FaultTests",
            dependencies: [
                "FeedServer", "FeedSimulator", "LedgerSupport", "MarketData", "TestSupport", "WebAPISupport",
                "edgetick", grdb, logging,
            ],
            swiftSettings: strict),
    ]
)
