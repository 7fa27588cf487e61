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
        .target(name: "CKernels"),
        layer("Kernels", ["CKernels", "COpenBLAS"]),
        layer("Tensors", ["Kernels", "CKernels"]),
        layer("Autodiff", ["Tensors", "Kernels", "CKernels"]),
        layer("NeuralNetworks", ["Autodiff", "Tensors", "Kernels", "CKernels"]),
        layer("Configuration", ["ExitCodes"]),
        layer(
            "Models",
            ["NeuralNetworks", "Autodiff", "Tensors", "Kernels", "Configuration", "ExitCodes"]),
        layer("Datasets", ["Kernels", "CKernels", "CZlib", "ExitCodes"]),
        layer("Checkpoints", ["CCrypto", "ExitCodes"]),
        layer("Learning", ["Configuration"]),

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
        layer(
            "Training",
            [
                "DataParallel", "Models", "NeuralNetworks", "Autodiff", "Tensors", "Kernels",
                "CKernels",
                "Datasets", "Checkpoints", "Configuration", "Learning", "Rendezvous", "Collectives",
                "Transport", "WireFormat", "ExitCodes",
            ]),
        layer("Launching", ["CTransport", "Transport", "WireFormat", "ExitCodes"]),
        layer(
            "RunProcesses",
            [
                "Training", "Launching", "Models", "Datasets", "Configuration", "Learning",
                "Transport",
                "WireFormat", "ExitCodes",
            ]),
        layer(
            "CommandLineTool",
            [
                "RunProcesses", "Training", "Launching", "Models", "Datasets", "Checkpoints",
                "Configuration", "Learning", "Rendezvous", "Transport", "WireFormat", "Kernels",
                "Tensors", "ExitCodes",
                "CPNG",
            ]),
        // Modules of one name but for the case do not get on: the program's folder is "rondo".
        .target(
            name: "Rondo",
            dependencies: [
                "RunProcesses", "Launching", "Training", "Models", "NeuralNetworks", "Autodiff",
                "Tensors", "Kernels", "Checkpoints", "Configuration", "Learning", "Transport",
                "ExitCodes",
            ], path: "Sources/Library", swiftSettings: strict),
        .executableTarget(name: "rondo", dependencies: ["CommandLineTool"], swiftSettings: strict),

        // Tests.
        .target(
            name: "TestSupport", dependencies: ["Autodiff", "Tensors"], path: "Tests/TestSupport",
            swiftSettings: strict),
        tests("KernelsTests", ["Kernels", "CKernels"]),
        tests(
            "AutodiffTests", ["TestSupport", "Autodiff", "NeuralNetworks", "Tensors", "Kernels"]),
        tests("OperationTableTests", ["TestSupport", "NeuralNetworks", "Autodiff", "Tensors"]),
        tests(
            "AttentionTests", ["TestSupport", "NeuralNetworks", "Autodiff", "Tensors"],
            exclude: ["reference"]),
        tests(
            "OptimizerTests", ["TestSupport", "NeuralNetworks", "Autodiff", "Tensors"],
            exclude: ["reference"]),
        tests(
            "SequenceLayerTests",
            ["TestSupport", "NeuralNetworks", "Autodiff", "Tensors", "Kernels", "CKernels"],
            exclude: ["reference"]),
        tests("NeuralNetworksTests", ["NeuralNetworks", "Autodiff", "Tensors", "Kernels"]),
        tests(
            "ModelsTests",
            [
                "Models", "NeuralNetworks", "Autodiff", "Tensors", "Kernels", "Configuration",
                "Learning",
            ]),
        tests("ConfigurationTests", ["Configuration", "Learning"]),
        tests("DatasetsTests", ["Datasets", "CZlib"]),
        tests("TextTests", ["Datasets"]),
        tests("CheckpointsTests", ["Checkpoints"]),
        tests("WireFormatTests", ["WireFormat"]),
        tests("TransportTests", ["Transport", "CTransport"]),
        tests(
            "CollectivesTests", ["TestSupport", "Collectives", "Transport", "WireFormat"],
            exclude: ["reference"]),
        tests("RendezvousTests", ["Rendezvous", "Transport", "WireFormat", "ExitCodes"]),
        tests("SimulationTests", ["Rendezvous", "WireFormat"]),
        tests("LaunchingTests", ["Launching", "Transport", "ExitCodes"]),
        tests(
            "CommandLineToolTests",
            [
                "CommandLineTool", "Training", "Launching", "Models", "Datasets", "Checkpoints",
                "DataParallel", "Collectives", "Rendezvous", "Transport", "Configuration",
                "Learning", "WireFormat", "ExitCodes",
            ]),
        tests(
            "ParityTests",
            [
                "TestSupport", "Models", "NeuralNetworks", "Autodiff", "Tensors", "Kernels",
                "Configuration", "Learning", "Checkpoints", "DataParallel", "Collectives",
                "WireFormat",
            ], exclude: ["reference"]),
        tests(
            "TrainingTests",
            [
                "TestSupport",
                "Training", "DataParallel", "Models", "NeuralNetworks", "Autodiff", "Tensors",
                "Datasets", "Configuration", "Learning", "Collectives", "WireFormat", "Rendezvous",
                "Transport", "Kernels", "Checkpoints",
            ]),
        tests(
            "ChaosTests",
            [
                "CommandLineTool", "Training", "Datasets", "Rendezvous", "Transport", "WireFormat",
                "Configuration", "Learning", "Kernels",
            ], exclude: ["reference"]),
        tests("WholeRunTests", ["Launching"]),
        tests("RepositoryTests", []),
    ],
    swiftLanguageModes: [.v6]
)
