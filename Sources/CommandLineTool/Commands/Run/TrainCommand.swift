import Learning
import ExitCodes
import Foundation
import Launching
import RunProcesses
import Training

/// `rondo train`: starts a coordinator and workers, and restarts those that are lost.
enum TrainCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "train", summary: "trains a model with several worker processes",
            discussion: [
                "Starts a coordinator and N workers on this machine, or on the hosts of a file by "
                    + "ssh, and ends them all when the run ends. The model does not depend on N.",
                "Ctrl-C saves a checkpoint and ends the run; the same command with --resume goes "
                    + "on from there, with any number of workers. Ctrl-C again ends at once.",
                "Standard output gets one line, 'result {json}'; the rest is on standard error.",
            ],
            positionals: [RunOptions.configurationPositional],
            options: [
                .init(
                    "workers", value: "N",
                    "worker processes (default: 1, or all slots of --hosts)"),
                .init("hosts", value: "FILE", "start the workers on these hosts by ssh"),
                .init(
                    "advertise", value: "ADDRESS",
                    "this machine's address as the hosts reach it (default: that of the route)"),
            ] + RunOptions.specifications + [
                .init(
                    "relay", value: "HOST:PORT", isHidden: true,
                    "where workers on this machine reach the coordinator"),
                .init("lifeline", isHidden: true, "end when standard input ends"),
            ],
            examples: [
                "rondo train configs/fashion-mnist-cnn.json --workers 2",
                "rondo train configs/fashion-mnist-cnn.json --workers 3 --resume",
                "rondo train configs/fashion-mnist-mlp.json --set optimizer.learningRate=0.01 "
                    + "--output runs/slow",
                "rondo train configs/fashion-mnist-resnet20.json --hosts cluster/hosts",
            ]),
        run: run)

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        let options = try RunOptions(arguments, tasks)
        let slots = try RequestedSlots.read(arguments, threads: options.configuration.threads)
        guard slots.workerCount <= options.configuration.replicas else {
            throw WorkerCountError(
                workers: slots.workerCount, replicas: options.configuration.replicas)
        }
        try options.folder.check(options.mode)

        if arguments.has("lifeline") {
            // The children have lifelines of their own, which break when this process ends.
            Lifeline.watch { ProcessExit.atOnce(.peersLost) }
        }
        let runArguments = RunOptions.arguments(from: arguments)
        let outcome = try RunSupervisor.run(
            slots, program: RunningProgram(name: "rondo"),
            coordinator: ["coordinator"] + runArguments,
            successor: ["coordinator"] + RunOptions.resuming(runArguments),
            folder: options.folder, relay: arguments.text("relay"))
        if let message = outcome.message {
            Console.error(message)
            for line in outcome.logLines { Console.errorText("    \(line)") }
        }
        if outcome.exitCode == .interrupted { sayHowToResume(options) }
        return outcome.exitCode
    }

    private static func sayHowToResume(_ options: RunOptions) {
        // Without a checkpoint --resume begins again; without a folder it would be refused.
        guard (try? options.folder.check(.resume)) != nil else { return }
        var arguments = CommandLine.arguments.dropFirst().filter { $0 != "--overwrite" }
        if !arguments.contains("--resume") { arguments.append("--resume") }
        let command = (["rondo"] + arguments.map(SSHCommand.quoted)).joined(separator: " ")
        Console.errorText("go on with: \(command)")
    }
}
