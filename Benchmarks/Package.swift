// swift-tools-version:6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// One area's benchmarks: an executable that `run` finds by its name.
func area(_ name: String, _ products: String...) -> Target {
    .executableTarget(
        name: name,
        dependencies: ["BenchmarkSupport"] + products.map { .product(name: $0, package: "swift-dramatiq-workflow") },
        swiftSettings: swiftSettings
    )
}

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "swift-dramatiq-workflow", path: "..", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    ],
    targets: [
        .target(name: "CAllocationCount"),
        .target(
            name: "BenchmarkSupport",
            dependencies: [
                "CAllocationCount",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings
        ),
        area("CoreBenchmarks", "Dramatiq", "DramatiqWorkflow"),
    ]
)
