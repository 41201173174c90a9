// swift-tools-version: 6.1
import PackageDescription

/// Targets import only downward in this list; `scripts/lint_imports.py` proves it.
let package = Package(
    name: "prologue",
    products: [.executable(name: "prologue", targets: ["prologue"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // System libraries.
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CTurboJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CFreeType", pkgConfig: "freetype2", providers: [.apt(["libfreetype-dev"])]),
        .systemLibrary(name: "CZip", pkgConfig: "libzip", providers: [.apt(["libzip-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),

        // OpenBLAS, with the one setting that it needs.
        .target(name: "COpenBLAS", linkerSettings: [.linkedLibrary("openblas")]),

        // Values and files that every record is written in.
        .target(name: "Files", dependencies: ["COpenSSL"]),
        // What scores are called.
        .target(name: "Metrics", dependencies: ["Files"]),

        // Programs for accelerators: their text, and the plugins that compile and run them.
        .target(name: "StableHLO"),
        .target(name: "CPJRT"),
        .target(name: "PJRT", dependencies: ["CPJRT", "Files"]),

        // What an experiment may set; models and stages take these as they are.
        .target(name: "Settings", dependencies: ["Files"]),

        // The engine.
        .target(
            name: "CKernels",
            cSettings: [.unsafeFlags(["-O3", "-fno-math-errno"])],
            linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
        .target(name: "TensorCore", dependencies: ["CKernels", "COpenBLAS", "StableHLO"]),
        // Runs programs of the engine on devices.
        .target(name: "Accelerators", dependencies: ["TensorCore", "StableHLO", "PJRT", "Files"]),
        .target(name: "NN", dependencies: ["TensorCore", "Settings"]),
        .target(name: "Models", dependencies: ["TensorCore", "NN", "Settings", "Files"]),

        // Data, measures, records: no engine needed.
        .target(name: "Archives", dependencies: ["CZip", "Files"]),
        .target(name: "ImageData", dependencies: ["Archives", "CFreeType", "CPNG", "CTurboJPEG", "CZlib", "Files"]),
        .target(name: "Evaluation", dependencies: ["COpenBLAS", "Files"]),
        .target(
            name: "RunStore",
            dependencies: [
                "Archives", "CHDF5", "Files", .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .target(name: "Sweep", dependencies: ["Files", "Metrics", "Settings", .product(name: "Yams", package: "Yams")]),
        // Workers on machines that a scheduler shares out.
        .target(name: "Cluster", dependencies: ["Files", "Settings", "Sweep"]),

        .target(
            name: "Verification", dependencies: ["TensorCore", "Accelerators", "PJRT", "NN", "Models", "Settings", "Files", "Evaluation"]),

        // The experiments.
        .target(
            name: "Experiment",
            dependencies: [
                "TensorCore", "Accelerators", "PJRT", "NN", "Models", "Archives", "Evaluation", "RunStore", "Settings", "Sweep",
                "ImageData",
                "Files", "Metrics",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .target(name: "Report", dependencies: ["Experiment", "Evaluation", "RunStore", "Settings", "Sweep", "Files", "Metrics"]),
        // The live page of a store.
        .target(
            name: "Serve",
            dependencies: [
                "Report", "Experiment", "RunStore", "Settings", "Sweep", "ImageData", "Files", "Metrics",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ], resources: [.embedInCode("Resources/live.js"), .embedInCode("Resources/live.css")]),
        .executableTarget(
            name: "prologue",
            dependencies: [
                "Files", "Metrics", "TensorCore", "PJRT", "Accelerators", "NN", "Models", "Evaluation", "RunStore", "Settings", "Sweep",
                "Cluster", "Experiment",
                "Report", "Serve", "Verification",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        // What tests of several targets need: the Python that results are compared with, temporary folders.
        .target(name: "TestSupport", dependencies: ["Files", "PJRT"], path: "Tests/TestSupport"),
        .testTarget(name: "TensorCoreTests", dependencies: ["CKernels", "Accelerators", "NN", "Settings", "Files", "TestSupport"]),
        .testTarget(name: "ModelsTests", dependencies: ["Accelerators", "Models", "Settings", "Files", "TestSupport"]),
        .testTarget(name: "VerificationTests", dependencies: ["Verification", "Accelerators", "Models", "Files", "TestSupport"]),
        .testTarget(name: "ImageDataTests", dependencies: ["Archives", "ImageData", "Files", "TestSupport"]),
        .testTarget(name: "ArchivesTests", dependencies: ["Archives", "Files", "TestSupport"]),
        .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport"]),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics", "Files"]),
        .testTarget(name: "EvaluationTests", dependencies: ["Evaluation", "Files", "TestSupport"]),
        .testTarget(name: "RunStoreTests", dependencies: ["RunStore", "Files", "TestSupport"]),
        .testTarget(name: "SweepTests", dependencies: ["Sweep", "Settings", "TestSupport"]),
        .testTarget(name: "ClusterTests", dependencies: ["Cluster", "Settings", "Sweep", "Files", "TestSupport"]),
        .testTarget(
            name: "ReportTests",
            dependencies: ["Report", "Experiment", "Evaluation", "Files", "Metrics", "RunStore", "Sweep", "TestSupport"]),
        .testTarget(
            name: "ExperimentTests",
            dependencies: [
                "Experiment", "Evaluation", "Files", "ImageData", "Metrics", "Models", "RunStore", "Settings", "Sweep", "TensorCore",
                "TestSupport",
            ]),
        .testTarget(name: "ServeTests", dependencies: ["Serve", "RunStore", "Files", "TestSupport"]),
        .testTarget(name: "CommandLineTests", dependencies: ["prologue", "Files", "TestSupport"]),
        .testTarget(name: "PJRTTests", dependencies: ["PJRT", "StableHLO", "Files", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)
