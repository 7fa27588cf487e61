import Foundation
import Testing

/// Another package, the one of the examples, depends on a version of this one. A package with unsafe build flags
/// could not be used so.
@Suite struct LibraryProductTests {
    @Test func theExamplesUseAVersionAndRun() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("rondo-library-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let library = folder.appendingPathComponent("rondo")
        try copySources(to: library)
        try commit(library, tag: "1.0.0")
        let examples = folder.appendingPathComponent("examples")
        for file in try Repository.files() where file.hasPrefix("Tests/Examples/") {
            try write(
                try Repository.text(file),
                to: examples.appendingPathComponent(String(file.dropFirst("Tests/Examples/".count)))
            )
        }
        let manifest = examples.appendingPathComponent("Package.swift")
        let pathDependency = #".package(name: "rondo", path: "../..")"#
        let text = try String(contentsOf: manifest, encoding: .utf8)
        try #require(text.contains(pathDependency))
        try write(
            text.replacing(
                pathDependency, with: #".package(url: "\#(library.path)", from: "1.0.0")"#),
            to: manifest)
        try Repository.run("swift", ["build", "-c", "release", "--quiet"], in: examples)
        let programs = examples.appendingPathComponent(".build/release")
        func run(_ name: String, _ arguments: String...) throws -> String {
            try Repository.run(
                programs.appendingPathComponent(name).path, arguments, in: folder)
        }

        #expect(try run("linear-regression").contains("largest difference "))
        #expect(try run("tanh-rnn").contains("parity accuracy 1.0000 after 800 steps\n"))
        let digests = try ["1", "2", "3"].map { workers in
            try run("valid-cnn", "12", workers).split(separator: "\n").last { $0.hasPrefix("SHA") }
        }
        #expect(digests[0] != nil && Set(digests).count == 1, "\(digests)")
        let own = try run("own-model")
        #expect(
            own.contains("test accuracy 0.8") && own.contains("class of an empty image: "), "\(own)"
        )
    }

    /// What README and the documentation show of the library is a program that the test above runs.
    @Test(arguments: ["README.md", "Sources/Library/Rondo.docc/Guides/GettingStarted.md"])
    func pageShowsAnExampleAsItIs(page: String) throws {
        let example = try Repository.text("Tests/Examples/Sources/own-model/main.swift")
        let code = example.split(separator: "\n\n", maxSplits: 1)[1]
        #expect(try Repository.text(page).contains("```swift\n\(code)```\n"))
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
