import Foundation
import Glibc
import Launching
import Testing

extension WholeRunTests {
    /// Each mistake has one line, its exit code, and leaves nothing behind.
    @Suite(.serialized) struct BadInput {
        private func expectFailure(
            _ run: TestRun, code: Int32, _ words: String..., arguments: [String] = [],
            workers: Int = 2, location: SourceLocation = #_sourceLocation
        ) throws {
            let output = "\(run.folder)/out"
            let existed = FileManager.default.fileExists(atPath: output)
            let program = try run.start(
                ["train", run.configuration, "--workers", "\(workers)", "--output", output]
                    + arguments)
            #expect(try program.end() == .exited(code), sourceLocation: location)
            #expect(program.errors.count == 1, "\(program.errorText)", sourceLocation: location)
            for word in words {
                #expect(
                    program.errors.first?.contains(word) == true, "\(program.errorText)",
                    sourceLocation: location)
            }
            #expect(program.outputText == "", sourceLocation: location)
            #expect(run.processes() == [], sourceLocation: location)
            #expect(
                FileManager.default.fileExists(atPath: output) == existed,
                "the run's folder was left behind", sourceLocation: location)
        }

        @Test func configurationMistakes() throws {
            let run = try TestRun()
            let good = run.text("tiny.json")
            func changed(_ old: String, _ new: String) throws {
                try #require(good.contains(old))
                try run.write(good.replacingOccurrences(of: old, with: new))
            }
            try changed("batchSize: 4", "batchsize: 4")
            try expectFailure(run, code: 2, "unknown key \"batchsize\"", "\"batchSize\"")
            try changed("batchSize: 4", "batchSize: \"four\"")
            try expectFailure(run, code: 2, "\"batchSize\" must be", "\"four\"")
            try changed(
                "outputChannels: 8, kernel: 3, padding: 1 },\n",
                "outputChannels: 8, kernel: 30 },\n")
            try expectFailure(run, code: 2, "model.layers.0", "conv1", "12x12")
            try run.write("")
            try expectFailure(run, code: 2, "the configuration is empty")
            try run.write("{ seed: 1,, }")
            try expectFailure(run, code: 2, "not valid JSON5")
        }

        /// One byte of the images is another than when the run began.
        @Test func otherDataAreNotGoneOnWith() throws {
            let run = try TestRun()
            _ = try run.train("out", workers: 1, "--steps", "10")
            let images = URL(fileURLWithPath: "\(run.folder)/data/train-images-idx3-ubyte")
            var bytes = try Data(contentsOf: images)
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: images)
            try expectFailure(
                run, code: 2, "the data files are not those that it was trained with",
                arguments: ["--resume", "--steps", "12"])
            let audit = try run.run("audit", "\(run.folder)/out")
            #expect(try audit.end() == .exited(1))
            #expect(audit.outputText.contains("fault: the data files are not those"))
        }

        @Test func moreWorkersThanReplicas() throws {
            try expectFailure(
                try TestRun(replicas: 2), code: 2, "3 workers cannot share 2 replicas", workers: 3)
        }

        @Test func dataMistakes() throws {
            let run = try TestRun()
            let images = "\(run.folder)/data/train-images-idx3-ubyte"
            let labels = "\(run.folder)/data/train-labels-idx1-ubyte"
            let goodImages = try Data(contentsOf: URL(fileURLWithPath: images))
            let goodLabels = try Data(contentsOf: URL(fileURLWithPath: labels))

            try FileManager.default.removeItem(atPath: images)
            try expectFailure(run, code: 3, images, "no such data file")

            try (Data([9, 9, 9, 9]) + goodImages.dropFirst(4))
                .write(to: URL(fileURLWithPath: images))
            try expectFailure(run, code: 3, images, "magic number", "0x09090909")

            try goodImages.dropLast(10).write(to: URL(fileURLWithPath: images))
            try expectFailure(run, code: 3, images, "truncated")

            try goodImages.write(to: URL(fileURLWithPath: images))
            var wrong = goodLabels
            wrong[wrong.startIndex + 20] = 77
            try wrong.write(to: URL(fileURLWithPath: labels))
            try expectFailure(run, code: 3, labels, "label 77 of sample 12 is out of range")
        }

        @Test func truncatedGzip() throws {
            let run = try TestRun()
            let images = "\(run.folder)/data/train-images-idx3-ubyte"
            let compress = Process()
            compress.executableURL = URL(fileURLWithPath: "/bin/sh")
            compress.arguments = [
                "-c", "gzip -c \"$0\" | head -c 3000 > \"$0.gz\" && rm \"$0\"", images,
            ]
            try compress.run()
            compress.waitUntilExit()
            try #require(compress.terminationStatus == 0)
            try run.write(
                run.text("tiny.json").replacingOccurrences(
                    of: "train-images-idx3-ubyte", with: "train-images-idx3-ubyte.gz"))
            // A gzip file's length is known only when it has been unpacked, which the workers do.
            let program = try run.start([
                "train", run.configuration, "--workers", "2", "--output", "\(run.folder)/out",
            ])
            #expect(try program.end() == .exited(3), "\(program.errorText)")
            #expect(program.errors.count == 1, "\(program.errorText)")
            #expect(program.errors.first?.contains("\(images).gz") == true)
            #expect(run.processes() == [])
        }

        @Test func folderMistakes() throws {
            let run = try TestRun()
            _ = try run.train("out", workers: 1)
            try expectFailure(run, code: 2, "already holds a run", "--resume", "--overwrite")
            _ = try run.train("out", workers: 1, "--overwrite")
            try expectFailure(
                run, code: 2, "\"optimizer.learningRate\"", "cannot resume",
                arguments: ["--resume", "--set", "optimizer.learningRate=0.5"])
            try FileManager.default.removeItem(atPath: "\(run.folder)/out")
            try expectFailure(run, code: 2, "no run to resume", arguments: ["--resume"])
            try FileManager.default.createDirectory(
                atPath: "\(run.folder)/out", withIntermediateDirectories: true)
            try run.write("mine", to: "out/letter.txt")
            try expectFailure(run, code: 2, "holds no run", arguments: ["--overwrite"])
            #expect(run.text("out/letter.txt") == "mine")
        }

        @Test func folderThatCannotBeMade() throws {
            let run = try TestRun()
            // Not even root can create a folder there.
            let program = try run.run(
                "train", run.configuration, "--output", "/proc/rondo/out")
            #expect(try program.end() == .exited(1))
            #expect(program.errors.count == 1)
            #expect(
                program.errors.first?.hasPrefix("cannot create the run's folder /proc/rondo/out")
                    == true)
            #expect(run.processes() == [])
        }

        @Test func damagedCheckpoint() throws {
            let run = try TestRun()
            let expected = try run.train("out", workers: 1).text("model_sha256")
            func damage(_ step: String) throws {
                let path = "\(run.folder)/out/checkpoints/\(step)/model.safetensors"
                var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                bytes[bytes.endIndex - 5] ^= 1
                try bytes.write(to: URL(fileURLWithPath: path))
            }
            try damage("step-00000012")
            // The one before it is taken, and comes to the same end.
            let resumed = try run.train("out", workers: 2, "--resume")
            #expect(try resumed.text("model_sha256") == expected)
            #expect(run.text("out/log.txt").contains("skipped a checkpoint"))
            try damage("step-00000012")
            try damage("step-00000006")
            try expectFailure(run, code: 3, "no usable checkpoint", arguments: ["--resume"])
            let inspection = try run.run("inspect", run.configuration)
            #expect(try inspection.end() == .exited(3))
            #expect(inspection.errors.count == 1)
        }

        @Test func portInUse() throws {
            let run = try TestRun()
            let first = try run.start([
                "coordinator", run.configuration, "--output", "\(run.folder)/first",
            ])
            try TestRun.wait("the coordinator's address") {
                first.errorText.contains("--coordinator 127.0.0.1:")
            }
            let address = try #require(
                first.errorText.split(whereSeparator: \.isWhitespace).last.map(String.init))
            let second = try run.run(
                "coordinator", run.configuration, "--listen", address, "--output",
                "\(run.folder)/second")
            #expect(try second.end() == .exited(1))
            #expect(second.errors.count == 1)
            #expect(second.errors.first?.contains("the port is in use") == true)
            #expect(!FileManager.default.fileExists(atPath: "\(run.folder)/second"))
            first.signal(SIGINT)
            #expect(try first.end() == .exited(130))
            #expect(first.errorText.contains("with the same command and --resume"))
        }

        @Test func commandLineMistakes() throws {
            let run = try TestRun()
            try run.write("127.0.0.1\n", to: "hosts")
            for (arguments, words) in [
                (["trian"], "unknown command 'trian'; did you mean 'train'?"),
                (["train", "x.json", "--worker", "2"], "did you mean '--workers'?"),
                (["train"], "needs CONFIG"),
                (["train", "/no/such.json"], "no such file"),
                (["worker"], "needs --coordinator HOST:PORT"),
                (["train", ""], "CONFIG of 'rondo train' is empty"),
                (["train", "--help=1"], "'--help' takes no value, got '1'"),
                (
                    [
                        "train", run.configuration, "--hosts", "\(run.folder)/hosts",
                        "--advertise", "no such name",
                    ], "--advertise must be an address of this machine"
                ),
                (["worker", "--coordinator", "nonsense"], "must be HOST:PORT, got 'nonsense'"),
                (["evaluate", "/no/such/run"], "no such file"),
            ] {
                let program = try run.start(arguments)
                #expect(try program.end() == .exited(2))
                #expect(program.errors.count == 1)
                #expect(program.errors.first?.contains(words) == true, "\(program.errorText)")
            }
        }
    }
}
