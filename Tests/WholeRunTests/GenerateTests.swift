import Foundation
import Launching
import Testing

extension WholeRunTests {
    /// Language models: trained, measured, and writing text.
    @Suite(.serialized) struct Generating {
        private static let sentence = "the cat sat on the mat and the dog ate the hat\n"

        /// A trained model in the folder "out"; the text it was trained on is gone.
        private func trained(
            vocabulary: String = "characters", layers: String = #"{type: "gru", hiddenSize: 24}"#
        ) throws -> TestRun {
            let run = try TestRun()
            try run.write(
                String(repeating: Self.sentence, count: 40), to: "text.txt")
            try run.write(
                """
                { seed: 3, replicas: 2, batchSize: 4, steps: 60,
                  data: { format: "text", path: "\(run.folder)/text.txt", context: 16,
                          vocabulary: "\(vocabulary)", vocabularySize: 270 },
                  model: { layers: [ { type: "embedding", width: 16 }, \(layers),
                                     { type: "linear", outputFeatures: "outputs" } ] },
                  optimizer: { type: "adam", learningRate: 0.02 } }
                """)
            _ = try run.train("out", workers: 2)
            try FileManager.default.removeItem(atPath: "\(run.folder)/text.txt")
            return run
        }

        private func generate(_ run: TestRun, _ arguments: String...) throws -> String {
            let program = try run.start(["generate", "\(run.folder)/out"] + arguments)
            #expect(try program.end() == .exited(0), "\(program.errorText)")
            return program.outputText
        }

        private func refusal(_ run: TestRun, code: Int32, _ arguments: String...) throws -> String {
            let program = try run.start(["generate"] + arguments)
            #expect(try program.end() == .exited(code), "\(program.errorText)")
            #expect(program.outputText == "")
            #expect(program.errors.count == 1, "\(program.errorText)")
            return program.errors.first ?? ""
        }

        @Test func textIsContinuedFromTheFolderAlone() throws {
            let run = try trained()
            let greedy = try generate(
                run, "--prompt", "the c", "--count", "42", "--temperature", "0")
            #expect(greedy.hasPrefix("the cat sat on the "))
            #expect(greedy.count == 5 + 42 + 1)
            #expect(greedy.hasSuffix("\n"))

            let text = try generate(run)
            #expect(text.count == 501)
            #expect(Set(text).isSubset(of: Self.sentence))
            #expect(try generate(run, "--seed", "1") == text)
            let other = try generate(run, "--seed", "2")
            #expect(other != text)
            #expect(try generate(run, "--count", "0", "--prompt", "a") == "a\n")
            // Equal draws, equal text, whatever comes later.
            #expect(text.hasPrefix(String(try generate(run, "--count", "20").dropLast())))

            let listened = try run.start(
                ["generate", "\(run.folder)/out", "--count", "100000000"],
                redirections: "| head -c 9")
            #expect(try listened.end() == .exited(0))
            #expect(listened.outputText == String(text.prefix(9)))
            #expect(listened.errorText == "")
            try TestRun.wait("the end of a writer nobody listens to") { run.processes() == [] }
        }

        @Test func aTransformerWritesMoreThanItsContext() throws {
            let run = try trained(
                layers:
                    #"{type: "positions"}, {type: "transformer", heads: 2, feedForward: 32}"#)
            let text = try generate(run, "--count", "100", "--prompt", Self.sentence)
            #expect(text.count == Self.sentence.count + 101)
        }

        @Test func wordsAndBytePairsBecomeText() throws {
            let words = try trained(vocabulary: "words")
            let text = try generate(words, "--prompt", "the cat", "--count", "30")
            #expect(text.hasPrefix("the cat"))
            #expect(text.split { " \n".contains($0) }.count > 20)
            let known = Set(Self.sentence.split { " \n".contains($0) })
            #expect(Set(text.split { " \n".contains($0) }).isSubset(of: known))

            let pairs = try trained(vocabulary: "bytePairs")
            #expect(try generate(pairs, "--prompt", "the cat", "--count", "5").count > 7)
        }

        @Test func mistakesAreNamed() throws {
            let run = try trained()
            let out = "\(run.folder)/out"
            #expect(
                try refusal(run, code: 3, out, "--prompt", "the Ö")
                    == "the prompt: the character U+00D6 'Ö' at offset 4 is not in the vocabulary")
            #expect(
                try refusal(run, code: 2, out, "--temperature", "-1")
                    == "'--temperature' must be a number from 0 to 1000, got '-1'")
            #expect(try refusal(run, code: 2, out, "--top-k", "0").contains("whole number from 1"))
            #expect(try refusal(run, code: 2, "\(run.folder)/no").contains("no such file"))
            try FileManager.default.removeItem(atPath: "\(out)/vocabulary.json")
            #expect(try refusal(run, code: 3, out).contains("vocabulary.json"))

            let images = try TestRun(length: "steps: 1")
            _ = try images.train("out", workers: 1)
            #expect(
                try refusal(images, code: 2, "\(images.folder)/out")
                    .contains("whose task is imageClassification; use 'rondo predict'"))
        }

        @Test func anotherTextIsMeasuredWithTheRunsVocabulary() throws {
            let run = try trained()
            func loss(_ arguments: String...) throws -> (loss: Double, samples: Double) {
                let program = try run.start(["evaluate", "\(run.folder)/out"] + arguments)
                #expect(try program.end() == .exited(0), "\(program.errorText)")
                let result = try program.result()
                let key = try #require(result.keys.first { $0.hasSuffix("loss") })
                return (try result.number(key), try result.number("samples"))
            }
            try run.write(String(repeating: Self.sentence, count: 40), to: "text.txt")
            let own = try loss()
            #expect(own.samples == Double(Self.sentence.count * 4 - 1))
            #expect(own.loss < 1)
            #expect(try loss("--data", run.folder) == own)
            // Some of the characters alone: in a vocabulary of its own they had other numbers.
            try run.write(String(repeating: "the mat ate the hat\n", count: 20), to: "other.txt")
            let other = try loss("--data", "\(run.folder)/other.txt", "--whole")
            #expect(other.samples == 399)
            #expect(other.loss < 1.5, "\(other.loss)")
            #expect(try loss("--data", "\(run.folder)/other.txt").samples == 39)
        }
    }
}
