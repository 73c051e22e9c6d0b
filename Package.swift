// swift-tools-version:6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0335-existential-any.md
    .enableUpcomingFeature("ExistentialAny"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0444-member-import-visibility.md
    .enableUpcomingFeature("MemberImportVisibility"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0409-access-level-on-imports.md
    .enableUpcomingFeature("InternalImportsByDefault"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0461-async-function-isolation.md
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    // Ignored where the package is a dependency:
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0480-swiftpm-warning-control.md
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "swift-dramatiq-workflow",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Dramatiq", targets: ["Dramatiq"]),
        .library(name: "DramatiqWorkflow", targets: ["DramatiqWorkflow"]),
        .library(name: "DramatiqDedupStorage", targets: ["DramatiqDedupStorage"]),
        .library(name: "DramatiqFileStorage", targets: ["DramatiqFileStorage"]),
        .library(name: "DramatiqLZ4", targets: ["DramatiqLZ4"]),
        .library(name: "DramatiqMemcached", targets: ["DramatiqMemcached"]),
        .library(name: "DramatiqMetrics", targets: ["DramatiqMetrics"]),
        .library(name: "DramatiqRedis", targets: ["DramatiqRedis"]),
        .library(name: "DramatiqS3Storage", targets: ["DramatiqS3Storage"]),
        .library(name: "DramatiqTestKit", targets: ["DramatiqTestKit"]),
        .library(name: "DramatiqZlib", targets: ["DramatiqZlib"]),
        .executable(name: "dramatiq-workflow", targets: ["WorkflowCLI"]),
    ],
    traits: [
        // What the command line tool can do beyond the demo, each by its trait, so that the demo builds without the
        // plugins: `swift run --disable-default-traits dramatiq-workflow demo`.
        // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0450-swiftpm-package-traits.md
        .default(enabledTraits: ["Plugins"]),
        .trait(name: "Plugins", description: "The tool's commands that need a plugin."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        .target(
            name: "Dramatiq",
            dependencies: [
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "DramatiqWorkflow",
            dependencies: [
                "Dramatiq",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "DramatiqDedupStorage",
            dependencies: [
                "Dramatiq",
                "DramatiqWorkflow",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "DramatiqFileStorage",
            dependencies: [
                "Dramatiq",
                "DramatiqWorkflow",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "DramatiqMemcached",
            dependencies: [
                "Dramatiq",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "DramatiqMetrics",
            dependencies: [
                "Dramatiq",
                "DramatiqWorkflow",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "DramatiqRedis",
            dependencies: [
                "Dramatiq",
                "DramatiqWorkflow",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "DramatiqS3Storage",
            dependencies: [
                "Dramatiq",
                "DramatiqWorkflow",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .systemLibrary(
            name: "CZlib",
            pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]
        ),
        .systemLibrary(
            name: "CLZ4",
            pkgConfig: "liblz4",
            providers: [.apt(["liblz4-dev"]), .brew(["lz4"])]
        ),
        .target(
            name: "DramatiqLZ4",
            dependencies: ["CLZ4", "Dramatiq"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "DramatiqZlib",
            dependencies: ["CZlib", "Dramatiq"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "DramatiqTestKit",
            dependencies: [
                "Dramatiq",
                "DramatiqWorkflow",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        // What the tool and its demo have in common.
        .target(
            name: "CommandLineSupport",
            dependencies: [
                "Dramatiq",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "WorkflowDemo",
            dependencies: [
                "CZlib",
                "CommandLineSupport",
                "Dramatiq",
                "DramatiqWorkflow",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "WorkflowCLI",
            dependencies: [
                "CommandLineSupport",
                "Dramatiq",
                .target(name: "DramatiqDedupStorage", condition: .when(traits: ["Plugins"])),
                .target(name: "DramatiqFileStorage", condition: .when(traits: ["Plugins"])),
                .target(name: "DramatiqLZ4", condition: .when(traits: ["Plugins"])),
                .target(name: "DramatiqRedis", condition: .when(traits: ["Plugins"])),
                .target(name: "DramatiqS3Storage", condition: .when(traits: ["Plugins"])),
                "DramatiqWorkflow",
                .target(name: "DramatiqZlib", condition: .when(traits: ["Plugins"])),
                "WorkflowDemo",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "Dramatiq",
                "DramatiqLZ4",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "DramatiqZlib",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/TestSupport",
            exclude: ["Python"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "RedisTestSupport",
            dependencies: [
                "Dramatiq",
                "DramatiqDedupStorage",
                "DramatiqFileStorage",
                "DramatiqLZ4",
                "DramatiqMemcached",
                "DramatiqRedis",
                "DramatiqS3Storage",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "DramatiqZlib",
                "TestSupport",
            ],
            path: "Tests/RedisTestSupport",
            swiftSettings: swiftSettings
        ),
        // A worker process for tests to kill.
        .executableTarget(
            name: "RedisTestWorker",
            dependencies: [
                "Dramatiq",
                "DramatiqLZ4",
                "DramatiqRedis",
                "DramatiqWorkflow",
                "DramatiqZlib",
                "RedisTestSupport",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/RedisTestWorker",
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "DramatiqTestKitTests",
            dependencies: [
                "Dramatiq",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "TestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "DramatiqTests",
            dependencies: [
                "Dramatiq",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "TestSupport",
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "DramatiqWorkflowTests",
            dependencies: [
                "Dramatiq",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "TestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "DecoderFuzzTool",
            dependencies: [
                "Dramatiq",
                "DramatiqLZ4",
                "DramatiqZlib",
                "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/DecoderFuzzTool",
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "CompressionTests",
            dependencies: [
                "CLZ4",
                "CZlib",
                "Dramatiq",
                "DramatiqLZ4",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "DramatiqZlib",
                "TestSupport",
            ],
            exclude: ["Python"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "DramatiqDedupStorageTests",
            dependencies: [
                "Dramatiq",
                "DramatiqDedupStorage",
                "DramatiqLZ4",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "DramatiqZlib",
                "TestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        // Stores in processes of its own that the tests of the file storage kill.
        .executableTarget(
            name: "StorageStressTool",
            dependencies: [
                "Dramatiq",
                "DramatiqFileStorage",
                "DramatiqWorkflow",
                "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Tests/StorageStressTool",
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "DramatiqFileStorageTests",
            dependencies: [
                "Dramatiq",
                "DramatiqDedupStorage",
                "DramatiqFileStorage",
                "DramatiqLZ4",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "DramatiqZlib",
                "StorageStressTool",
                "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "DramatiqMetricsTests",
            dependencies: [
                "Dramatiq",
                "DramatiqDedupStorage",
                "DramatiqLZ4",
                "DramatiqMetrics",
                "DramatiqRedis",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "RedisTestSupport",
                "TestSupport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            exclude: ["Python"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "DramatiqRedisTests",
            dependencies: [
                "Dramatiq",
                "DramatiqDedupStorage",
                "DramatiqFileStorage",
                "DramatiqLZ4",
                "DramatiqRedis",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "DramatiqZlib",
                "RedisTestSupport",
                "RedisTestWorker",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "DramatiqS3StorageTests",
            dependencies: [
                "Dramatiq",
                "DramatiqDedupStorage",
                "DramatiqS3Storage",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "TestSupport",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "DramatiqMemcachedTests",
            dependencies: [
                "Dramatiq",
                "DramatiqMemcached",
                "DramatiqRedis",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "RedisTestSupport",
                "RedisTestWorker",
                "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "InteropTests",
            dependencies: [
                "Dramatiq",
                "DramatiqLZ4",
                "DramatiqMemcached",
                "DramatiqRedis",
                "DramatiqWorkflow",
                "RedisTestSupport",
                "RedisTestWorker",
                "TestSupport",
            ],
            exclude: ["Python"],
            swiftSettings: swiftSettings
        ),
        // The documentation's snippets, which Scripts/snippets takes out of it. They use nothing of what they make, so
        // warnings are no errors here.
        .target(
            name: "DocumentationSnippets",
            dependencies: [
                "Dramatiq",
                "DramatiqDedupStorage",
                "DramatiqFileStorage",
                "DramatiqLZ4",
                "DramatiqMemcached",
                "DramatiqMetrics",
                "DramatiqRedis",
                "DramatiqS3Storage",
                "DramatiqTestKit",
                "DramatiqWorkflow",
                "DramatiqZlib",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests/DocumentationSnippets"
        ),
        .testTarget(
            name: "WorkflowCLITests",
            dependencies: [
                "CZlib",
                "CommandLineSupport",
                "Dramatiq",
                .target(name: "DramatiqDedupStorage", condition: .when(traits: ["Plugins"])),
                .target(name: "DramatiqFileStorage", condition: .when(traits: ["Plugins"])),
                .target(name: "DramatiqLZ4", condition: .when(traits: ["Plugins"])),
                .target(name: "DramatiqRedis", condition: .when(traits: ["Plugins"])),
                "DramatiqWorkflow",
                .target(name: "DramatiqZlib", condition: .when(traits: ["Plugins"])),
                .target(name: "RedisTestSupport", condition: .when(traits: ["Plugins"])),
                "TestSupport",
                "WorkflowCLI",
                "WorkflowDemo",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings
        ),
    ]
)
