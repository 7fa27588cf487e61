// Values, defaults, overrides, and the way to config.json and back.

import Foundation
import Configuration
import Learning
import Models
import Testing

@Test func defaultsAreFilledIn() throws {
    let configuration = try parse()
    #expect(configuration.name == "run")
    #expect(configuration.seed == 1)
    #expect(configuration.accumulation == 1)
    #expect(configuration.globalBatchSize == 16)
    #expect(configuration.epochs == 3)
    #expect(configuration.steps == nil)
    #expect(configuration.threads == 1)
    #expect(configuration.taskName == "imageClassification")
    #expect(
        configuration.task.data.paths == [
            "/data/train-images-idx3-ubyte.gz", "/data/train-labels-idx1-ubyte.gz",
            "/data/t10k-images-idx3-ubyte.gz", "/data/t10k-labels-idx1-ubyte.gz",
        ])
    #expect(value("data.mean", of: configuration) == .array([.number(0)]))
    #expect(value("data.standardDeviation", of: configuration) == .array([.number(1)]))
    #expect(value("data.lastBatch", of: configuration) == .string("pad"))
    #expect(value("data.augmentation.horizontalFlip", of: configuration) == .bool(false))
    #expect(configuration.optimizer.rule == .sgd(momentum: 0, nesterov: false))
    #expect(configuration.schedule.shape == .constant)
    #expect(configuration.checkpoint.everyEpochs == 1)
    #expect(configuration.checkpoint.keep == 2)
    #expect(configuration.evaluation.batchSize == 250)
    #expect(configuration.communication.timeout == .seconds(30))
    #expect(configuration.communication.segmentByteCount == 524_288)
    #expect(configuration.communication.transport == .auto)
    #expect(
        value("model.layers", of: configuration)
            == .array([
                .object(["type": .string("flatten")]),
                .object([
                    "type": .string("linear"), "name": .string("output"),
                    "outputFeatures": .integer(10), "bias": .bool(true),
                    "initializer": .string("kaimingUniform"),
                ]),
            ]))
}

@Test func overridesReachEveryDepthInOrder() throws {
    let configuration = try parse(
        minimalText, "seed=9007199254740993", "data.augmentation.crop=3",
        "model.layers.1.outputFeatures=7", "data.directory=/elsewhere/a=b", "replicas=1",
        "replicas=4", "optimizer={type:'adamw',learningRate:1e-3}", "name=\"true\"",
        "communication.transport=shm")
    #expect(configuration.communication.transport == .shm)
    #expect(configuration.seed == 9_007_199_254_740_993)
    #expect(value("data.augmentation.crop", of: configuration) == .integer(3))
    #expect(configuration.task.data.paths[0].hasPrefix("/elsewhere/a=b/"))
    #expect(configuration.replicas == 4)
    #expect(configuration.name == "true")
    #expect(configuration.optimizer.rule == .adamw(beta1: 0.9, beta2: 0.999, epsilon: 1e-8))
    #expect(configuration.optimizer.weightDecay == 0.01)
    #expect(value("model.layers.1.outputFeatures", of: configuration) == .integer(7))
}

@Test func overriddenLengthTakesThePlaceOfTheOther() throws {
    let bySteps = try parse(minimalText, "steps=60")
    #expect(bySteps.length == .steps(60))
    let text = minimalText.replacingOccurrences(of: "epochs: 3", with: "steps: 4")
    #expect(try parse(text, "epochs=2").length == .epochs(2))
}

@Test func nullRemovesAKeyThatAnotherTypeDoesNotHave() throws {
    let text = minimalText.replacingOccurrences(
        of: "learningRate: 0.1", with: "learningRate: 0.1, momentum: 0.9")
    let optimizer = try parse(text, "optimizer.type=adam", "optimizer.momentum=null").optimizer
    #expect(optimizer.rule == .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8))
}

@Test func nullReturnsAKeyToItsDefault() throws {
    let text = minimalText.replacingOccurrences(of: "epochs: 3", with: "epochs: 3, seed: 5")
    #expect(try parse(text).seed == 5)
    #expect(try parse(text, "seed=null").seed == 1)
}

private let everyLayer = """
    [
      { type: "conv2d", name: "a", outputChannels: 8, kernel: [3, 5], stride: 2, padding: [1, 2],
        groups: 2, bias: false, initializer: "xavierNormal" },
      { type: "conv2d", outputChannels: 8, kernel: 3, padding: "same" },
      { type: "batchNorm", momentum: 0.25, epsilon: 1e-3 },
      { type: "relu" }, { type: "tanh" }, { type: "sigmoid" },
      { type: "maxPool2d", kernel: 3, stride: 2, padding: 1 },
      { type: "averagePool2d", kernel: 2 },
      { type: "residual", name: "block", layers: [ { type: "relu" } ],
        shortcut: [ { type: "conv2d", outputChannels: 8, kernel: 1 } ] },
      { type: "residual", layers: [ { type: "residual", layers: [ { type: "relu" } ] } ] },
      { type: "globalAveragePool" }, { type: "dropout", probability: 0.5 }, { type: "flatten" },
      { type: "linear", outputFeatures: "outputs", initializer: "kaimingNormal" },
      { type: "rows" }, { type: "embedding", width: 8 }, { type: "positions" },
      { type: "rnn", hiddenSize: 4, nonlinearity: "relu" },
      { type: "lstm", hiddenSize: 4, layers: 2, skip: "residual", dropout: 0.1 },
      { type: "gru", hiddenSize: 4, layers: 2, skip: "highway", bidirectional: true },
      { type: "gru", hiddenSize: 4, bidirectional: true }, { type: "lastStep" },
      { type: "transformer", heads: 2, feedForward: 8, causal: false },
      { type: "layerNorm", epsilon: 1e-6 }, { type: "gelu" },
    ]
    """

@Test(arguments: [
    ["schedule={type:'cosine',minimumLearningRate:1e-5,warmupSteps:7}"],
    ["schedule={type:'step',everyEpochs:2,factor:0.3}", "optimizer={type:'adam',learningRate:2}"],
    ["schedule={type:'step',everySteps:50}", "optimizer.momentum=0.9", "optimizer.nesterov=true"],
    [
        "optimizer={type:'rmsprop',learningRate:2,alpha:0.9,momentum:0.5,centered:true,"
            + "clipping:{globalNorm:1.5},decayNormsAndBiases:false,"
            + "groups:[{match:'output.*',learningRateFactor:0.1},{match:'*',decayFactor:0}]}",
        "schedule={type:'oneCycle',rise:0.2,startDivisor:10,endDivisor:100}",
        "average={decay:0.99,warmsUp:false}", "evaluation.everySteps=20",
    ],
    [
        "optimizer={type:'adagrad',learningRate:2,rateDecay:0.1,initialSum:0.5,clipping:{value:1}}",
        "schedule={type:'inverseSquareRoot',warmupSteps:7}", "average={}",
        "model.loss={labelSmoothing:0.1,classWeights:[1,2,3,4,5,6,7,8,9,0]}",
    ],
    [
        "optimizer={type:'adadelta',learningRate:1,rho:0.8,epsilon:1e-5}",
        "model.loss='crossEntropy'", "model.convolution=winograd2x4",
    ],
    ["steps=12", "accumulation=3", "data.lastBatch=drop", "data.trainSamples=100", "threads=2"],
    ["model.layers=\(everyLayer)", "checkpoint.everySteps=5", "bucketMegabytes=0.123456789"],
    [
        "data.directory=null", "data.trainImages=a", "data.trainLabels=b\n\"\\",
        "data.testImages=c",
        "data.testLabels=d", "data.mean=[0.1, 0.2, 1e-7]", "name=\u{1F3B5} rondo",
    ],
])
func resolvedConfigurationReadsBackEqual(overrides: [String]) throws {
    let configuration = try RunConfiguration.parse(
        Data(minimalText.utf8), origin: "run.json", overrides: overrides, tasks: tasks)
    let json = configuration.resolvedJSON()
    // Plain JSON, not only JSON5.
    #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: json) }
    let again = try RunConfiguration.parse(
        json, origin: "config.json", defaultName: "other", tasks: tasks)
    #expect(again == configuration)
    #expect(again.resolvedJSON() == json)
}

@Test func everyLayerTypeReadsItsOptions() throws {
    let configuration = try parse(minimalText, "model.layers=\(everyLayer)")
    #expect(
        value("model.layers.0.kernel", of: configuration) == .array([.integer(3), .integer(5)]))
    #expect(value("model.layers.0.stride", of: configuration) == .integer(2))
    #expect(
        value("model.layers.0.padding", of: configuration) == .array([.integer(1), .integer(2)]))
    #expect(value("model.layers.0.groups", of: configuration) == .integer(2))
    #expect(value("model.layers.0.bias", of: configuration) == .bool(false))
    #expect(value("model.layers.0.initializer", of: configuration) == .string("xavierNormal"))
    #expect(value("model.layers.7.type", of: configuration) == .string("averagePool2d"))
    #expect(value("model.layers.7.stride", of: configuration) == .integer(2))
    #expect(value("model.layers.7.padding", of: configuration) == .integer(0))
}

@Test func optimizersHaveTheDefaultsOfPyTorch() throws {
    func rule(_ type: String) throws -> OptimizerConfiguration {
        try parse(minimalText, "optimizer={type:'\(type)',learningRate:1}").optimizer
    }
    #expect(
        try rule("rmsprop").rule
            == .rmsprop(alpha: 0.99, epsilon: 1e-8, momentum: 0, centered: false))
    #expect(try rule("adagrad").rule == .adagrad(rateDecay: 0, epsilon: 1e-10, initialSum: 0))
    #expect(try rule("adadelta").rule == .adadelta(rho: 0.9, epsilon: 1e-6))
    #expect(try rule("adadelta").decayNormsAndBiases)
    #expect(try rule("adadelta").clipping == nil)
    #expect(try parse().average == nil)
    #expect(
        try parse(minimalText, "schedule.type=oneCycle").schedule.shape
            == .oneCycle(rise: 0.3, startDivisor: 25, endDivisor: 1e4))
}

@Test(arguments: [
    ("block1", ["block1.conv.weight", "block1.norm.bias"]),
    ("block1.*", ["block1.conv.weight", "block1.norm.bias"]),
    ("block1.conv.weight", ["block1.conv.weight"]),
    ("*.bias", ["block1.norm.bias", "block12.bias"]),
    ("block?", ["block1.conv.weight", "block1.norm.bias"]),
    ("b*1*t", ["block1.conv.weight"]),
    ("*", ["block1.conv.weight", "block1.norm.bias", "block12.bias"]),
    ("block", []), ("weight", []), ("Block1", []), ("a*a*a*a*a*a*a*a*b", []),
])
func groupsMatchNamesAndTheirParts(match: String, expected: [String]) throws {
    let groups = try parse(minimalText, "optimizer.groups=[{match:'\(match)'}]").optimizer.groups
    let names = ["block1.conv.weight", "block1.norm.bias", "block12.bias"]
    #expect(names.filter(groups[0].matches) == expected)
    #expect(!groups[0].matches(String(repeating: "a", count: 100_000)) || match == "*")
}

@Test func relocatedDataKeepsItsFileNames() throws {
    let data = try parse(minimalText, "data.trainImages=/mnt/own.gz").task.data
    #expect(data.paths[0] == "/mnt/own.gz")
    let moved = data.relocated(toFolder: "/other")
    #expect(moved.paths[0] == "/other/own.gz")
    #expect(moved.paths[2] == "/other/t10k-images-idx3-ubyte.gz")
}

@Test func fileNameBecomesTheRunsName() throws {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("rondo-configuration-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("my-run.json")
    try Data(minimalText.utf8).write(to: file)
    #expect(try RunConfiguration.load(path: file.path, tasks: tasks).name == "my-run")
    #expect(
        try RunConfiguration.load(
            path: file.path, overrides: ["name=x"], tasks: tasks
        ).name == "x")
}
