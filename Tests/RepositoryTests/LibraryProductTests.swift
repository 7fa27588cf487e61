import Foundation
import Testing

/// Another package depends on a version of this one and uses the engine. A package with unsafe build flags
/// could not be used so.
@Suite struct LibraryProductTests {
    @Test func anotherPackageImportsAVersion() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("rondo-library-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let library = folder.appendingPathComponent("rondo")
        try copySources(to: library)
        try commit(library, tag: "1.0.0")
        let user = folder.appendingPathComponent("user")
        try write(
            """
            // swift-tools-version: 6.0
            import PackageDescription

            let package = Package(
                name: "user",
                dependencies: [.package(url: "\(library.path)", from: "1.0.0")],
                targets: [
                    .executableTarget(
                        name: "user", dependencies: [.product(name: "Rondo", package: "rondo")])
                ])
            """, to: user.appendingPathComponent("Package.swift"))
        try write(
            """
            import Autodiff
            import NeuralNetworks
            import Tensors

            struct Classifier: Layer {
                let hidden: Linear
                let output: Linear

                init(stream: inout InitializationStream) {
                    hidden = Linear(2, 8, stream: &stream)
                    output = Linear(8, 2, stream: &stream)
                }

                func callAsFunction(_ x: Variable) -> Variable { output(tanh(hidden(x))) }
            }

            var stream = InitializationStream(seed: 1)
            let model = Classifier(stream: &stream)
            let store = ParameterStore(adopting: model)
            let gradients = Tensor(zeros: [store.gradientCount])
            let optimizer = SGD(count: store.values.count, momentum: 0.9)
            let x = Tensor([0, 0, 0, 1, 1, 0, 1, 1], [4, 2])
            var correct = 0
            for step in 0..<300 {
                store.bindGradients(to: gradients)
                let tape = Tape(
                    .training(seed: 1, step: step, replica: 0, microBatch: 0, sampleCount: 4))
                let (loss, sums) = softmaxCrossEntropy(
                    model(tape.constant(x)), labels: [0, 1, 1, 0])
                tape.backward(from: loss)
                optimizer.update(
                    store.values, gradients: gradients.pointer, gradientScale: 0.25,
                    learningRate: 0.5, step: step + 1)
                correct = sums.correctCount
            }
            print("learned \\(correct) of 4, \\(store.scalarCount) parameters")
            """, to: user.appendingPathComponent("Sources/user/main.swift"))
        let output = try Repository.run("swift", ["run", "--quiet"], in: user)
        #expect(output.hasSuffix("learned 4 of 4, 42 parameters\n"), "\(output)")
    }

    private func copySources(to library: URL) throws {
        for file in try Repository.files()
        where file.hasPrefix("Sources/") || file == "Package.swift" {
            let destination = library.appendingPathComponent(file)
            try FileManager.default.createDirectory(
                at: destination.deletingLastPathComponent(), withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                at: Repository.root.appendingPathComponent(file), to: destination)
        }
        // The package names test targets; empty ones stand in for them.
        let tests = Repository.root.appendingPathComponent("Tests")
        for name in try FileManager.default.contentsOfDirectory(atPath: tests.path) {
            try write("", to: library.appendingPathComponent("Tests/\(name)/Empty.swift"))
        }
    }

    private func commit(_ library: URL, tag: String) throws {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
        try Repository.run("git", ["init", "--quiet"], in: library)
        try Repository.run("git", ["add", "--all", "--force"], in: library)
        try Repository.run(
            "git", identity + ["commit", "--quiet", "--message", "A version"], in: library)
        try Repository.run("git", ["tag", tag], in: library)
    }

    private func write(_ text: String, to file: URL) throws {
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: true, encoding: .utf8)
    }
}
