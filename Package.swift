// swift-tools-version: 6.2
import PackageDescription

// The layers, top to bottom; a target may depend only on targets above it in this list. The engine
// (Kernels ... Models) never sees a rank, the communication half (WireFormat ... Rendezvous) never
// sees a tensor; the two meet in DataParallel.

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

func layer(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// A task is a folder under Sources/Tasks and a line in TaskCatalog.
func task(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    let common: [Target.Dependency] = [
        "Learning", "DataParallel", "Models", "NeuralNetworks", "Autodiff", "Tensors", "Datasets",
        "Configuration", "ExitCodes",
    ]
    return .target(
        name: name, dependencies: common + dependencies, path: "Sources/Tasks/\(name)",
        swiftSettings: strict)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [],
    resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, resources: resources,
        swiftSettings: strict)
}

let package = Package(
    name: "rondo",
    products: [
        .executable(name: "rondo", targets: ["rondo"]),
        .library(
            name: "Rondo",
            targets: [
                "Rondo", "Tensors", "Autodiff", "NeuralNetworks", "Models", "Datasets",
                "Checkpoints", "ExitCodes",
            ]),
    ],
    targets: [
        // System libraries.
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

        // The ground floor.
        layer("ExitCodes"),

        // The engine.
        .target(name: "CKernels", cSettings: [.headerSearchPath("Shared")]),
        layer("Kernels", ["CKernels", "COpenBLAS"]),
        layer("Tensors", ["Kernels", "CKernels"]),
        layer("Autodiff", ["Tensors", "Kernels", "CKernels"]),
        layer("NeuralNetworks", ["Autodiff", "Tensors", "Kernels", "CKernels"]),
        layer("Configuration", ["ExitCodes"]),
        layer(
            "Models",
            ["NeuralNetworks", "Autodiff", "Tensors", "Kernels", "Configuration", "ExitCodes"]),
        layer("Datasets", ["Configuration", "Kernels", "CKernels", "CZlib", "ExitCodes"]),
        layer("Checkpoints", ["CCrypto", "ExitCodes"]),
        layer("Pictures", ["Checkpoints", "CPNG", "ExitCodes"]),

        // Communication.
        layer("WireFormat", ["ExitCodes"]),
        .target(name: "CTransport"),
        layer("Transport", ["CTransport", "ExitCodes"]),
        layer("Collectives", ["WireFormat", "Transport", "ExitCodes"]),
        layer("Rendezvous", ["WireFormat", "Transport", "ExitCodes"]),

        // Where they meet.
        layer(
            "DataParallel",
            [
                "NeuralNetworks", "Autodiff", "Tensors", "Kernels", "CKernels", "Collectives",
                "WireFormat", "ExitCodes",
            ]),
        // What is learnt.
        layer("RunFolders", ["Checkpoints", "Transport", "ExitCodes"]),
        layer(
            "Learning",
            [
                "DataParallel", "Models", "NeuralNetworks", "Autodiff", "Tensors", "Datasets",
                "Checkpoints", "Configuration", "RunFolders", "ExitCodes",
            ]),
        task("ImageClassification"),
        task("ImageReconstruction"),
        task("LanguageModel", ["Kernels"]),
        task("Translation", ["Pictures"]),
        task("CustomProgram"),
        layer(
            "TaskCatalog",
            [
                "Learning", "ImageClassification", "ImageReconstruction", "LanguageModel",
                "Translation", "CustomProgram",
            ]),

        // Runs.
        layer(
            "Training",
            [
                "Learning", "RunFolders", "DataParallel", "Models", "NeuralNetworks", "Autodiff",
                "Tensors", "Kernels", "Datasets", "Checkpoints", "Configuration", "Rendezvous",
                "Collectives", "Transport", "WireFormat", "ExitCodes",
            ]),
        layer(
            "Benchmarks",
            [
                "Training", "DataParallel", "Models", "NeuralNetworks", "Autodiff", "Tensors",
                "Kernels", "Configuration", "Checkpoints", "Rendezvous", "Collectives",
                "Transport", "WireFormat", "ExitCodes",
            ]),
        layer("Launching", ["CTransport", "Transport", "WireFormat", "ExitCodes"]),
        layer(
            "RunProcesses",
            [
                "Training", "Learning", "RunFolders", "Launching", "Models", "Datasets",
                "Configuration", "Transport", "WireFormat", "ExitCodes",
            ]),
        layer(
            "CommandLineTool",
            [
                "Benchmarks", "RunProcesses", "Training", "Learning", "RunFolders",
                "Launching", "Models", "Datasets", "Checkpoints", "Configuration", "Rendezvous",
                "Transport", "WireFormat", "Kernels", "Tensors", "ExitCodes",
            ]),
        // Modules of one name but for the case do not get on: the program's folder is "rondo".
        .target(
            name: "Rondo",
            dependencies: [
                "TaskCatalog", "CustomProgram", "RunProcesses", "Launching", "Training",
                "Learning", "RunFolders", "Models", "NeuralNetworks", "Autodiff", "Tensors",
                "Kernels", "Checkpoints", "Configuration", "Transport", "ExitCodes",
            ], path: "Sources/Library", swiftSettings: strict),
        .executableTarget(
            name: "rondo", dependencies: ["CommandLineTool", "TaskCatalog"], swiftSettings: strict),

        // Tests.
        .target(
            name: "TestSupport", dependencies: ["Autodiff", "Tensors"], path: "Tests/TestSupport",
            exclude: ["reference"], swiftSettings: strict),
        tests("KernelsTests", ["TestSupport", "Kernels", "CKernels", "Tensors"]),
        tests(
            "AutodiffTests", ["TestSupport", "Autodiff", "NeuralNetworks", "Tensors", "Kernels"],
            exclude: ["Losses/reference"]),
        tests(
            "NeuralNetworksTests",
            ["TestSupport", "NeuralNetworks", "Autodiff", "Tensors", "Kernels"],
            exclude: ["Attention/reference", "Optimizers/reference", "Sequences/reference"]),
        tests(
            "ModelsTests",
            [
                "TestSupport", "Models", "NeuralNetworks", "Autodiff", "Tensors", "Kernels",
                "Configuration",
            ]),
        tests("ConfigurationTests", ["Configuration", "Models", "Learning", "TaskCatalog"]),
        tests(
            "DatasetsTests", ["Datasets", "Configuration", "CZlib"], exclude: ["reference"]),
        tests("CheckpointsTests", ["Checkpoints"]),
        tests("WireFormatTests", ["WireFormat"]),
        tests("TransportTests", ["Transport", "CTransport"]),
        tests(
            "CollectivesTests", ["TestSupport", "Collectives", "Transport", "WireFormat"],
            exclude: ["reference"]),
        tests(
            "RendezvousTests",
            ["Rendezvous", "Collectives", "Transport", "WireFormat", "ExitCodes"]),
        tests("SimulationTests", ["Rendezvous", "WireFormat"]),
        tests("LaunchingTests", ["Launching", "Transport", "ExitCodes"]),
        tests(
            "CommandLineToolTests",
            [
                "CommandLineTool", "Benchmarks", "Training", "Learning", "RunFolders", "Launching",
                "Models", "Datasets", "Checkpoints", "DataParallel", "Collectives", "Rendezvous",
                "Transport", "Configuration", "WireFormat", "LanguageModel", "Translation",
                "Pictures",
                "ExitCodes",
            ]),
        tests(
            "ParityTests",
            [
                "TestSupport", "Models", "NeuralNetworks", "Autodiff", "Tensors", "Kernels",
                "Configuration", "Checkpoints", "DataParallel", "Collectives", "WireFormat",
            ], exclude: ["reference"]),
        tests(
            "DataParallelTests",
            [
                "TestSupport", "DataParallel", "NeuralNetworks", "Autodiff", "Tensors", "Kernels",
                "Collectives", "Transport", "WireFormat",
            ]),
        .target(
            name: "LearningTestSupport", dependencies: ["Learning", "DataParallel", "Collectives"],
            path: "Tests/LearningTestSupport", swiftSettings: strict),
        tests(
            "ImageClassificationTests",
            ["LearningTestSupport", "ImageClassification", "TaskCatalog", "Learning"]),
        tests(
            "ImageReconstructionTests", ["LearningTestSupport", "TaskCatalog", "Learning"]),
        tests("LanguageModelTests", ["LanguageModel"]),
        tests(
            "TranslationTests",
            [
                "LearningTestSupport", "Translation", "TaskCatalog", "Learning", "Models",
                "Datasets",
            ]),
        tests(
            "CustomProgramTests",
            [
                "LearningTestSupport", "CustomProgram", "Rondo", "Training", "Learning", "Models",
                "NeuralNetworks", "Autodiff", "Tensors", "Configuration",
            ]),
        tests(
            "TrainingTests",
            [
                "LearningTestSupport", "TaskCatalog", "Training", "Learning", "RunFolders",
                "DataParallel", "Models", "NeuralNetworks", "Autodiff", "Tensors", "Datasets",
                "Configuration", "Collectives", "WireFormat", "Rendezvous", "Transport", "Kernels",
                "Checkpoints",
            ]),
        tests("BenchmarksTests", ["Benchmarks"]),
        tests(
            "ChaosTests",
            [
                "CommandLineTool", "TaskCatalog", "Training", "Learning", "RunFolders", "Datasets",
                "Rendezvous", "Transport", "WireFormat", "Configuration", "Kernels",
            ], exclude: ["reference"]),
        // `rondo` with a few more tasks; WholeRunTests starts it.
        .executableTarget(
            name: "ProofTasks",
            dependencies: [
                "CommandLineTool", "TaskCatalog", "Learning", "DataParallel", "Models",
                "NeuralNetworks", "Autodiff", "Tensors", "Kernels", "Datasets", "Configuration",
            ], path: "Tests/ProofTasks", swiftSettings: strict),
        tests("WholeRunTests", ["Launching"]),
        tests("RepositoryTests", []),
    ],
    swiftLanguageModes: [.v6]
)
