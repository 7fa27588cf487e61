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
    let configuration = try RunConfiguration.load(path: "\(configurationsFolder)/\(name).json")
    #expect(configuration.name == name)
    #expect(configuration.replicas == 4)
    #expect(configuration.globalBatchSize == 128)
    #expect(
        configuration.data.images?.trainImagesPath
            == "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
    let again = try RunConfiguration.parse(configuration.resolvedJSON(), origin: "config.json")
    #expect(again == configuration)
    #expect(again.resolvedJSON() == configuration.resolvedJSON())
}

@Test func resNetHasTwentyWeightLayersAndTwoProjections() throws {
    let configuration = try RunConfiguration.load(
        path: "\(configurationsFolder)/fashion-mnist-resnet20.json")
    var weightLayers = 0
    var projections = 0
    func count(_ layers: [ConfigurationValue]) {
        for case .object(let members) in layers {
            switch members["type"] {
            case .string("conv2d"), .string("linear"): weightLayers += 1
            case .string("residual"):
                guard case .array(let inner) = members["layers"],
                    case .array(let shortcut) = members["shortcut"]
                else { continue }
                count(inner)
                projections += shortcut.isEmpty ? 0 : 1
            default: break
            }
        }
    }
    count(configuration.model.layers.map(\.resolved))
    #expect(weightLayers == 20)
    #expect(projections == 2)
    #expect(configuration.data.images?.augmentation.horizontalFlip == true)
    #expect(configuration.data.images?.augmentation.crop == 2)
    #expect(configuration.epochs == 20)
}
