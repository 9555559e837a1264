// swift-tools-version: 6.2
import PackageDescription

// What `make bench` measures, as programs of their own: the product's package knows nothing of them.
let package = Package(
    name: "Benchmarks",
    dependencies: [
        .package(name: "EdgeTick", path: ".."),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.0", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "subject",
            dependencies: [
                .product(name: "EdgeTickModules", package: "EdgeTick"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)]),
        .executableTarget(
            name: "Micro",
            dependencies: [
                .product(name: "EdgeTickModules", package: "EdgeTick"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/Micro",
            swiftSettings: [.swiftLanguageMode(.v6)],
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    ]
)
