import Foundation
import Testing

/// What README and the documentation say of the repository is true of it.
@Suite struct DocumentationTests {
    private static let catalog = "Sources/Library/Rondo.docc/"

    private func pages() throws -> [String] {
        try Repository.files().filter {
            $0.hasSuffix(".md")
                && ($0 == "README.md" || $0.hasPrefix(Self.catalog) || $0.hasPrefix(".github/"))
        }
    }

    /// Files and folders that are named are there; "configs/seq2seq-*.json" names those that begin so.
    @Test func everyNamedPathIsThere() throws {
        let files = try Repository.files()
        let pattern = /(?:Sources|Tests|configs|cluster|\.ci|\.github)\/[A-Za-z0-9_+.\/-]*/
        var count = 0
        for page in try pages() {
            for match in try Repository.text(page).matches(of: pattern) {
                var path = match.output
                while path.last == "." || path.last == "-" { path.removeLast() }
                count += 1
                #expect(files.contains { $0.hasPrefix(path) }, "\(page) names \(path)")
            }
        }
        #expect(count > 100)
    }

    /// Every target has a row in the table of the architecture.
    @Test func everyTargetIsDescribed() throws {
        let page = try Repository.text(Self.catalog + "Guides/Architecture.md")
        let folders = Set(
            try Repository.files().compactMap { file -> Substring? in
                let parts = file.split(separator: "/")
                guard parts.count > 2, parts[0] == "Sources" else { return nil }
                return parts[1] == "Tasks" ? parts[2] : parts[1]
            })
        #expect(folders.count > 25)
        for folder in folders {
            let isNamed = page.contains("`\(folder)`") || page.contains("`Sources/\(folder)`")
            #expect(isNamed, "the architecture does not say what \(folder) is for")
        }
    }

    /// The custom operation of the documentation is the one that a test compiles.
    @Test func theShownOperationIsTested() throws {
        let test = try Repository.text("Tests/AutodiffTests/Tape/CustomOperationTests.swift")
        let start = try #require(test.range(of: "func scaledSquare("))
        let end = try #require(test.range(of: "\n}\n", range: start.lowerBound..<test.endIndex))
        let function = test[start.lowerBound..<end.upperBound]
        let page = try Repository.text(Self.catalog + "Growth/AddAnOperation.md")
        #expect(page.contains("```swift\n\(function)```\n"))
    }
}
