// The configurations in configs/: each must read, resolve and mean what its comments say.

import Foundation
import Configuration
import Learning
import Models
import Testing

private let configurationsFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("configs").path

@Test(arguments: ["fashion-mnist-mlp", "fashion-mnist-cnn", "fashion-mnist-resnet20"])
func shippedConfigurationReadsAndResolves(name: String) throws {
    let configuration = try RunConfiguration.load(
        path: "\(configurationsFolder)/\(name).json", tasks: tasks)
    #expect(configuration.name == name)
    #expect(configuration.replicas == 4)
    #expect(configuration.globalBatchSize == 128)
    #expect(
        configuration.task.data.paths[0]
            == "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
    let again = try RunConfiguration.parse(
        configuration.resolvedJSON(), origin: "config.json", tasks: tasks)
    #expect(again == configuration)
    #expect(again.resolvedJSON() == configuration.resolvedJSON())
}

@Test func resNetHasTwentyWeightLayersAndTwoProjections() throws {
    let configuration = try RunConfiguration.load(
        path: "\(configurationsFolder)/fashion-mnist-resnet20.json", tasks: tasks)
    var weightLayers = 0
    var projections = 0
    func count(_ layers: ConfigurationValue?) {
        guard case .array(let layers) = layers else { return }
        for case .object(let layer) in layers {
            if [.string("conv2d"), .string("linear")].contains(layer["type"]) { weightLayers += 1 }
            guard layer["type"] == .string("residual") else { continue }
            count(layer["layers"])
            if case .array(let shortcut) = layer["shortcut"], !shortcut.isEmpty { projections += 1 }
        }
    }
    count(value("model.layers", of: configuration))
    #expect(weightLayers == 20)
    #expect(projections == 2)
    #expect(value("data.augmentation.horizontalFlip", of: configuration) == .bool(true))
    #expect(value("data.augmentation.crop", of: configuration) == .integer(2))
    #expect(configuration.epochs == 20)
}
