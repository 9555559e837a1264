// swift-tools-version: 6.2
import PackageDescription

// The programs that `make bench` and `make micro` measure with. They are a separate package, so that the product's
// package needs none of their dependencies.
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
