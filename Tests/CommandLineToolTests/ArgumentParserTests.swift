import CommandLineTool
import Testing

@Suite struct ArgumentParserTests {
    private let command = CommandSpecification(
        name: "train", summary: "trains",
        positionals: [.init("CONFIG", "the configuration")],
        options: [
            .init("workers", value: "N", "how many"), .init("resume", "go on"),
            .init("set", value: "KEY=VALUE", repeats: true, "change a key"),
            .init("lifeline", isHidden: true, "for children"),
        ])

    private func parse(_ arguments: String...) throws(UsageError) -> ParsedArguments {
        try ParsedArguments(arguments, for: command)
    }

    @Test func optionsAndPositionalsMix() throws {
        let parsed = try parse(
            "--workers", "3", "a.json", "--resume", "--set=a.b=1", "--set", "c=-2")
        #expect(parsed.positionals == ["a.json"])
        #expect(try parsed.integer("workers", in: 1...9) == 3)
        #expect(parsed.has("resume") && !parsed.has("lifeline"))
        #expect(parsed.texts("set") == ["a.b=1", "c=-2"])
    }

    @Test func helpWinsOverMistakes() throws {
        #expect(try parse("--help", "--nonsense").asksForHelp)
        #expect(try parse("-h").asksForHelp)
    }

    @Test func dashesEndTheOptionsAndNumbersAreNotOptions() throws {
        #expect(try parse("--", "--resume").positionals == ["--resume"])
        #expect(try parse("-3").positionals == ["-3"])
    }

    @Test(arguments: [
        (
            ["a", "--worker", "3"],
            "unknown option '--worker' for 'rondo train'; did you mean '--workers'?"
        ),
        (
            ["a", "-workers", "3"],
            "unknown option '-workers' for 'rondo train'; did you mean '--workers'?"
        ),
        (["a", "--xyzzy"], "unknown option '--xyzzy' for 'rondo train'; see 'rondo train --help'"),
        (["a", "--workers"], "'--workers' needs a value: --workers N"),
        (
            ["a", "--workers", "--resume"],
            "'--workers' needs a value but is followed by '--resume'; "
                + "a value that begins with dashes is written --workers=--resume"
        ),
        (["a", "--help=1"], "'--help' takes no value, got '1'"),
        ([""], "CONFIG of 'rondo train' is empty; see 'rondo train --help'"),
        (["a", "--resume=yes"], "'--resume' takes no value, got 'yes'"),
        (["a", "--resume", "--resume"], "'--resume' is given twice"),
        ([], "'rondo train' needs CONFIG: the configuration; see 'rondo train --help'"),
        (["a", "b"], "unexpected argument 'b'; see 'rondo train --help'"),
    ])
    func mistakes(arguments: [String], message: String) {
        #expect(throws: UsageError(message)) { try ParsedArguments(arguments, for: command) }
    }

    @Test func numbersAreChecked() throws {
        let parsed = try parse("a", "--workers", "none")
        #expect(throws: UsageError("'--workers' must be a whole number from 1 to 9, got 'none'")) {
            try parsed.integer("workers", in: 1...9)
        }
    }
}
