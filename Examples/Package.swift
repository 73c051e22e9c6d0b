// swift-tools-version:6.2
import PackageDescription

let package = Package(
    name: "examples",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "swift-dramatiq-workflow", path: ".."),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "AlbumWorkflow",
            dependencies: [
                .product(name: "Dramatiq", package: "swift-dramatiq-workflow"),
                .product(name: "DramatiqWorkflow", package: "swift-dramatiq-workflow"),
            ]
        ),
        .executableTarget(
            name: "OwnStore",
            dependencies: [
                .product(name: "Dramatiq", package: "swift-dramatiq-workflow"),
                .product(name: "DramatiqDedupStorage", package: "swift-dramatiq-workflow"),
                .product(name: "DramatiqTestKit", package: "swift-dramatiq-workflow"),
                .product(name: "DramatiqWorkflow", package: "swift-dramatiq-workflow"),
            ]
        ),
        .executableTarget(
            name: "OwnTransport",
            dependencies: [
                .product(name: "Dramatiq", package: "swift-dramatiq-workflow"),
                .product(name: "DramatiqTestKit", package: "swift-dramatiq-workflow"),
            ]
        ),
        .executableTarget(
            name: "RateLimit",
            dependencies: [
                .product(name: "Dramatiq", package: "swift-dramatiq-workflow")
            ]
        ),
        .executableTarget(
            name: "ServiceWorker",
            dependencies: [
                .product(name: "Dramatiq", package: "swift-dramatiq-workflow"),
                .product(name: "DramatiqWorkflow", package: "swift-dramatiq-workflow"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
    ]
)
