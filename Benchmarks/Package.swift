// swift-tools-version: 6.2
import PackageDescription

// What `make bench` measures, as programs of their own: the product's package knows nothing of them.
let package = Package(
    name: "Benchmarks",
    dependencies: [
        .package(name: "EdgeTick", path: ".."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        .executableTarget(
            name: "subject",
            dependencies: [
                .product(name: "EdgeTickModules", package: "EdgeTick"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)])
    ]
)
