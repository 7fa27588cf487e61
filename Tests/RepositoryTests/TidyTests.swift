import Foundation
import Testing

/// The rules of style that a formatter does not know.
@Suite struct TidyTests {
    private func swiftSources() throws -> [String] {
        let files = try Repository.files().filter {
            $0.hasPrefix("Sources/") && $0.hasSuffix(".swift")
        }
        try #require(files.count > 50)
        return files
    }

    /// Outside input must never end the process, and nothing waits by sleeping.
    @Test func bannedCalls() throws {
        let banned = ["try!", "fatalError(", "usleep(", "Thread.sleep", " sleep("]
        for file in try swiftSources() {
            let text = try Repository.text(file)
            for call in banned {
                #expect(!text.contains(call), "\(file) has \(call)")
            }
        }
    }

    /// Libraries return and throw; only the command line talks to people.
    @Test func onlyTheCommandLinePrints() throws {
        for file in try swiftSources() where !file.hasPrefix("Sources/CommandLineTool/") {
            let lines = try Repository.text(file).split(separator: "\n")
            let printing = lines.filter {
                $0.drop(while: \.isWhitespace).hasPrefix("print(")
            }
            #expect(printing.isEmpty, "\(file) prints: \(printing)")
        }
    }

    @Test func filesHoldOneIdea() throws {
        for file in try swiftSources() {
            let lineCount = try Repository.text(file).split(
                separator: "\n", omittingEmptySubsequences: false
            ).count
            #expect(lineCount <= 600, "\(file) has \(lineCount) lines")
        }
    }

    /// The engine knows no ranks, the communication half no tensors.
    @Test func theTwoHalvesMeetInDataParallelOnly() throws {
        let engine = [
            "Kernels", "Tensors", "Autodiff", "NeuralNetworks", "Models", "Datasets", "Checkpoints",
        ]
        let communication = ["WireFormat", "Transport", "Collectives", "Rendezvous"]
        for file in try swiftSources() {
            let imports = try Repository.text(file).split(separator: "\n")
                .filter { $0.hasPrefix("import ") || $0.hasPrefix("public import ") }
                .compactMap { $0.split(separator: " ").last.map(String.init) }
            let layer = String(file.split(separator: "/")[1])
            if engine.contains(layer) {
                #expect(Set(imports).isDisjoint(with: communication), "\(file): \(imports)")
            }
            if communication.contains(layer) {
                #expect(Set(imports).isDisjoint(with: engine), "\(file): \(imports)")
            }
        }
    }

    /// Package.swift lists the targets from the ground up; a file imports only what stands above
    /// its own target.
    @Test func importsPointDown() throws {
        let targets = try Repository.text("Package.swift").split(separator: "targets: [").last
        let manifest = try #require(targets.map(String.init))
        let declaration = try Regex(#"(?:layer|task|name:)\(?\s*"(\w+)""#)
        let listed = manifest.matches(of: declaration).compactMap {
            $0.output[1].substring.map(String.init)
        }
        let order = Dictionary(
            listed.enumerated().map { ($0.element, $0.offset) },
            uniquingKeysWith: { first, _ in
                first
            })
        for file in try swiftSources() {
            let parts = file.split(separator: "/").map(String.init)
            let folder = parts[1] == "Tasks" ? parts[2] : parts[1]
            let target = folder == "Library" ? "Rondo" : folder
            let own = try #require(order[target], "\(target) is not in Package.swift")
            let imports = try Repository.text(file).split(separator: "\n")
                .filter {
                    $0.contains("import ") && !$0.drop(while: \.isWhitespace).hasPrefix("//")
                }
                .compactMap { $0.split(separator: " ").last.map(String.init) }
            for name in imports {
                guard let other = order[name] else { continue }
                #expect(other < own, "\(file) imports \(name), which stands above it")
            }
        }
    }

    /// What there is of tasks, formats and layers is known to the catalogs alone: nothing else
    /// names a single one.
    @Test func onlyCatalogsNameTasksFormatsAndLayers() throws {
        let files = try swiftSources()
        func names(in folder: String, _ pattern: String) throws -> [(name: String, file: String)] {
            let pattern = try Regex(pattern)
            return try files.filter { $0.hasPrefix(folder) }.flatMap { file in
                try Repository.text(file).matches(of: pattern).compactMap { match in
                    match.output[1].substring.map { (String($0), file) }
                }
            }
        }
        let kinds = [
            (
                try names(in: "Sources/Tasks/", #"struct (\w+): LearningTask\b"#),
                ["Sources/TaskCatalog/", "Sources/Library/"]
            ),
            (
                try names(in: "Sources/Datasets/Formats/", #"struct (\w+): DataFormat\b"#),
                ["Sources/Datasets/Formats/", "Sources/Tasks/"]
            ),
            (
                try names(in: "Sources/Models/Layers/", #"struct (\w+Kind): "#),
                ["Sources/Models/Layers/", "Sources/Models/LayerCatalog.swift"]
            ),
        ]
        for (found, allowed) in kinds {
            try #require(found.count > 2)
            for (name, home) in found {
                let folder = home.split(separator: "/").dropLast().joined(separator: "/")
                for file in files
                where !file.hasPrefix(folder) && !allowed.contains(where: file.hasPrefix) {
                    let isNamed = try Repository.text(file).contains(Regex("\\b\(name)\\b"))
                    #expect(!isNamed, "\(file) names \(name)")
                }
            }
        }
    }

    /// A folder is a table of contents.
    @Test func foldersStaySmall() throws {
        let files = try Repository.files().filter {
            $0.hasPrefix("Sources/") || $0.hasPrefix("Tests/")
        }
        let folders = Dictionary(grouping: files) { file in
            file.split(separator: "/").dropLast().joined(separator: "/")
        }
        for (folder, files) in folders {
            #expect(files.count <= 25, "\(folder) has \(files.count) files side by side")
        }
    }

    /// A comment is no wider than the code may be; the linter does not look at comments.
    @Test func commentsAreNoWiderThanCode() throws {
        let endings = [".swift", ".c", ".h"]
        let files = try Repository.files().filter { file in
            (file.hasPrefix("Sources/") || file.hasPrefix("Tests/") || file == "Package.swift")
                && endings.contains(where: file.hasSuffix)
        }
        for file in files {
            let lines = try Repository.text(file).split(
                separator: "\n", omittingEmptySubsequences: false)
            for (number, line) in lines.enumerated() where line.count > 100 {
                let text = line.drop(while: \.isWhitespace)
                let isComment = ["//", "/*", "* "].contains(where: text.hasPrefix)
                #expect(!isComment, "\(file):\(number + 1) has \(line.count) columns")
            }
        }
    }

    /// A function reads from top to bottom.
    @Test func functionsStayShort() throws {
        let beginning = try Regex(#"^( *)(?:[@\w()]+ )*(?:func \w|init[?(<]|init\()"#)
        for file in try swiftSources() {
            let lines = try Repository.text(file).split(
                separator: "\n", omittingEmptySubsequences: false)
            for (number, line) in lines.enumerated() {
                guard let match = line.firstMatch(of: beginning),
                    let indentation = match.output[1].substring
                else { continue }
                // A body in one line, or none in a protocol, ends before a line of the same
                // indentation.
                let rest = lines[(number + 1)...]
                guard
                    let end = rest.firstIndex(where: {
                        $0.hasPrefix(indentation) && !$0.dropFirst(indentation.count).hasPrefix(" ")
                            && !$0.isEmpty && !$0.dropFirst(indentation.count).hasPrefix(")")
                    }), lines[end].hasPrefix(indentation + "}")
                else { continue }
                #expect(
                    end - number < 60, "\(file):\(number + 1) has \(end - number + 1) lines")
            }
        }
    }

    @Test func topLevelStaysSmall() throws {
        let allowed: Set = [
            "Package.swift", "Sources", "Tests", "cluster", "configs", "README.md",
        ]
        let entries = Set(try Repository.files().compactMap { $0.split(separator: "/").first })
        let unexpected = entries.map(String.init).filter {
            !allowed.contains($0) && !$0.hasPrefix(".")
        }
        #expect(unexpected == [])
    }
}
