import Learning
import Checkpoints
import ExitCodes
import Foundation
import RunProcesses

/// `rondo inspect`: lists the contents of a safetensors file.
enum InspectCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "inspect",
            summary: "lists the tensors, the metadata and the hash of a safetensors file",
            discussion: [
                "A folder stands for the model.safetensors in it. The hash is that of the tensor "
                    + "data in name order, the model_sha256 of 'rondo train': it does not depend "
                    + "on metadata."
            ],
            positionals: [.init("FILE", "a safetensors file, a run's folder or a checkpoint's")],
            examples: ["rondo inspect runs/fashion-mnist-cnn/model.safetensors"]),
        run: run)

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        var path = arguments.positionals[0]
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
        {
            path += "/model.safetensors"
        }
        let file = try SafetensorsReader.read(path: path)
        let rows = file.arrays.sorted { ModelDigest.precedes($0.name, $1.name) }.map { array in
            (array.name, array.elementType.rawValue, "\(array.shape)", "\(array.elementCount)")
        }
        let nameWidth = rows.map(\.0.count).max() ?? 0
        let shapeWidth = rows.map(\.2.count).max() ?? 0
        for (name, type, shape, count) in rows {
            Console.output(
                padded(name, nameWidth) + "  " + padded(type, 4) + "  " + padded(shape, shapeWidth)
                    + "  " + count)
        }
        for (key, value) in file.metadata.sorted(by: { $0.key < $1.key }) {
            Console.output("metadata \(key) = \(value)")
        }
        let total = file.arrays.reduce(0) { $0 + $1.elementCount }
        Console.output("\(file.arrays.count) tensors, \(total) numbers")
        Console.output("model_sha256 \(ModelDigest.hexadecimal(of: file.arrays))")
        return .done
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
