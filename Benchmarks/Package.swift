// swift-tools-version:6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// One area's benchmarks: an executable that `run` finds by its name.
///
/// - Parameter peers: what else the area compares with or needs.
func area(_ name: String, _ products: String..., peers: [Target.Dependency] = []) -> Target {
    .executableTarget(
        name: name,
        dependencies: [
            "BenchmarkSupport",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "Logging", package: "swift-log"),
        ] + peers + products.map { .product(name: $0, package: "swift-dramatiq-workflow") },
        swiftSettings: swiftSettings
    )
}

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "swift-dramatiq-workflow", path: "..", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
    ],
    targets: [
        .target(name: "CAllocationCount"),
        .target(
            name: "BenchmarkSupport",
            dependencies: [
                "CAllocationCount",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Dramatiq", package: "swift-dramatiq-workflow"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "CRawCompression",
            linkerSettings: [.linkedLibrary("lz4"), .linkedLibrary("z")]
        ),
        .target(name: "CRawFiles"),
        area(
            "CoreBenchmarks", "Dramatiq", "DramatiqMetrics", "DramatiqWorkflow",
            peers: [.product(name: "CoreMetrics", package: "swift-metrics")]),
        area(
            "RedisBenchmarks", "Dramatiq", "DramatiqDedupStorage", "DramatiqFileStorage", "DramatiqLZ4",
            "DramatiqRedis",
            "DramatiqS3Storage", "DramatiqWorkflow"),
        area("CompressionBenchmarks", "Dramatiq", "DramatiqLZ4", "DramatiqZlib", peers: ["CRawCompression"]),
        area(
            "StorageBenchmarks", "Dramatiq", "DramatiqDedupStorage", "DramatiqFileStorage", "DramatiqLZ4",
            "DramatiqWorkflow", peers: ["CRawFiles"]),
    ]
)
