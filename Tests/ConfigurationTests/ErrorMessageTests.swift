// What a user reads for each kind of mistake, literally.

import Foundation
import Configuration
import Learning
import Testing

@Test(arguments: [
    ("batchsize=4", "unknown key \"batchsize\"; did you mean \"batchSize\"?"),
    (
        "data.augmentation.horizontalflip=true",
        "unknown key \"data.augmentation.horizontalflip\"; did you mean \"horizontalFlip\"?"
    ),
    (
        "checkpoint.zebra=1",
        "unknown key \"checkpoint.zebra\"; known: everyEpochs, everySteps, keep"
    ),
    (
        "model.layers.1.outputFeature=3",
        "unknown key \"model.layers.1.outputFeature\"; did you mean \"outputFeatures\"?"
    ),
    (
        "model.layers.0.bias=true",
        "unknown key \"model.layers.0.bias\"; known: name, type"
    ),
    ("replicas=four", "\"replicas\" must be a whole number, got the text \"four\""),
    ("replicas=2.5", "\"replicas\" must be a whole number, got 2.5"),
    ("replicas=0", "\"replicas\" must be from 1 to 1024, got 0"),
    ("replicas=null", "missing key \"replicas\", expected the number of gradients summed per step"),
    ("optimizer.learningRate=-1", "\"optimizer.learningRate\" must be above 0, got -1"),
    (
        "optimizer.learningRate=Infinity",
        "\"optimizer.learningRate\" must be a finite number above 0, got Infinity"
    ),
    (
        "optimizer.learningRate=NaN",
        "\"optimizer.learningRate\" must be a finite number above 0, got NaN"
    ),
    ("data.mean=[-Infinity]", "\"data.mean.0\" must be a finite number, got -Infinity"),
    (
        "data.trainImages=\"a\\u0000b\"",
        "\"data.trainImages\" must be a text without the character \\u0000, "
            + "got the text \"a\\u0000b\""
    ),
    ("replicas=\"a\\nb\"", "\"replicas\" must be a whole number, got the text \"a\\u000ab\""),
    ("optimizer.learningRate=[1]", "\"optimizer.learningRate\" must be a number, got a list of 1"),
    (
        "communication.transport=shn",
        "\"communication.transport\" is \"shn\", which is not known; did you mean \"shm\"?"
    ),
    (
        "optimizer.type=sdg",
        "\"optimizer.type\" is \"sdg\", which is not known; did you mean \"sgd\"?"
    ),
    (
        "optimizer.beta1=0.5",
        "unknown key \"optimizer.beta1\"; known: "
            + "clipping, decayNormsAndBiases, groups, learningRate, momentum, nesterov, type, "
            + "weightDecay"
    ),
    (
        "optimizer.clipping={}",
        "missing key \"optimizer.clipping.globalNorm\", expected \"globalNorm\" or \"value\""
    ),
    (
        "optimizer.clipping={globalNorm:1,value:2}",
        "\"optimizer.clipping.globalNorm\": give either \"globalNorm\" or \"value\", not both"
    ),
    (
        "optimizer.clipping={globalNorm:0}",
        "\"optimizer.clipping.globalNorm\" must be above 0, got 0"
    ),
    (
        "optimizer.groups=[{match:'a'},{learningRateFactor:2}]",
        "missing key \"optimizer.groups.1.match\", expected parameters' names, e.g. \"block1.*\""
    ),
    ("average={decay:1}", "\"average.decay\" must be at least 0 and below 1, got 1"),
    (
        "schedule={type:'oneCycle',warmupSteps:5}",
        "unknown key \"schedule.warmupSteps\"; known: endDivisor, rise, startDivisor, type"
    ),
    (
        "model.loss=crossentropy",
        "\"model.loss\" is \"crossentropy\", which is not known; did you mean \"crossEntropy\"?"
    ),
    (
        "model.convolution=winograd4x2",
        "\"model.convolution\" is \"winograd4x2\", which is not known; did you mean \"winograd2x2\"?"
    ),
    (
        "model.loss={labelSmoothing:1}",
        "\"model.loss.labelSmoothing\" must be at least 0 and below 1, got 1"
    ),
    (
        "model.loss={classWeights:[1,2]}",
        "\"model.loss.classWeights\": has 2 numbers but \"data.classes\" is 10"
    ),
    (
        "model.loss={classWeights:[0,0]}",
        "\"model.loss.classWeights\": one of them has to be above 0"
    ),
    ("optimizer.nesterov=true", "\"optimizer.nesterov\": needs a \"momentum\" above 0"),
    ("optimizer.nesterov=1", "\"optimizer.nesterov\" must be true or false, got 1"),
    (
        "model.layers.0.type=convv2d",
        "\"model.layers.0.type\" is \"convv2d\", which is not known; did you mean \"conv2d\"?"
    ),
    (
        "model.layers.1.name=a.b",
        "\"model.layers.1.name\" must be made of letters, digits and \"_\", "
            + "and not \"shortcut\", got \"a.b\""
    ),
    ("model.layers.1.name=0", "\"model.layers.1.name\" must be a text, got 0"),
    ("model.layers.1.name=\"0\"", "\"model.layers\": layers 0 and 1 are both called \"0\""),
    ("model.layers=[]", "missing key \"model.layers\", expected a list of layers"),
    ("model.layers=3", "\"model.layers\" must be a list, got 3"),
    ("model.layers.0=3", "\"model.layers.0\" must be an object, got 3"),
    ("data=null", "missing key \"data\", expected an object"),
    (
        "data.directory=null",
        "missing key \"data.trainImages\", expected a file's path, "
            + "or \"data.directory\" for all four files"
    ),
    ("data.mean=[0.1,x]", "\"data.mean\" must be a list of numbers, got the text \"[0.1,x]\""),
    ("data.mean=[0.1,\"x\"]", "\"data.mean.1\" must be a number, got the text \"x\""),
    ("data.standardDeviation=[0]", "\"data.standardDeviation.0\" must be above 0, got 0"),
    (
        "data.standardDeviation=[1,1]",
        "\"data.standardDeviation\": has 2 numbers but \"mean\" has 1"
    ),
    (
        "schedule.type=step",
        "missing key \"schedule.everyEpochs\", expected \"everyEpochs\" or \"everySteps\""
    ),
    (
        "communication.heartbeatSeconds=20",
        "\"communication.heartbeatSeconds\": 20.0 is more than half of \"timeoutSeconds\" (30.0)"
    ),
    ("epochs=null", "missing key \"epochs\", expected the run's length: \"epochs\" or \"steps\""),
    ("name=a/b", "\"name\" must be usable as a folder's name, got \"a/b\""),
])
func mistakeIsAnsweredInOneLine(override: String, expected: String) {
    #expect(message(minimalText, [override]) == "run.json: \(expected)")
}

@Test(arguments: [
    ("steps", "cannot apply --set steps: expected key.path=value"),
    ("a..b=1", "cannot apply --set a..b=1: \"a..b\" has an empty part"),
    (
        "model.layers.7.name=x",
        "cannot apply --set model.layers.7.name=x: \"model.layers\" is a list of 2, it has no \"7\""
    ),
    ("seed.low=1", "unknown key \"low\"; known: a"),
])
func unusableOverrideIsAnsweredInOneLine(override: String, expected: String) {
    if override == "seed.low=1" {
        let text = minimalText.replacingOccurrences(of: "epochs: 3", with: "epochs: 3, seed: 5")
        #expect(
            message(text, [override])
                == "run.json: cannot apply --set seed.low=1: \"seed\" is 5, it has no \"low\"")
    } else {
        #expect(message(minimalText, [override]) == "run.json: \(expected)")
    }
}

@Test func emptyConfigurationIsRefused() {
    let expected =
        "run.json: the configuration is empty; start from one of the files in configs/"
    #expect(message("") == expected)
    #expect(message(" \n\t") == expected)
}

@Test func bothLengthsAreRefused() {
    let text = minimalText.replacingOccurrences(of: "epochs: 3", with: "epochs: 3, steps: 4")
    #expect(message(text) == "run.json: \"epochs\": give either \"epochs\" or \"steps\", not both")
}

@Test(arguments: [
    ("{", "line 1, column 2: the text ends, expected a key or \"}\""),
    ("{\n  a: }", "line 2, column 6: \"}\", expected a value"),
    ("[1, 2", "line 1, column 6: the text ends, expected \",\" or \"]\""),
    ("nonsense!", "line 1, column 1: \"nonsense\", expected a value"),
    ("{ \"a\": \"b }", "line 1, column 8: a text without an end"),
    ("}", "line 1, column 1: \"}\", expected a value"),
    ("\u{0}", "line 1, column 1: byte 0, expected a value"),
    ("{ a: 1,\n a: 2 }", "line 2, column 2: the key \"a\" for the second time"),
    ("{ a 1 }", "line 1, column 5: \"1\", expected \":\" after the key \"a\""),
    ("{} {}", "line 1, column 4: \"{\", expected the end"),
    ("/* no end", "line 1, column 1: a comment without an end"),
    ("{ a: 00.1 }", "line 1, column 6: \"00.1\", expected a value"),
])
func brokenTextIsASyntaxErrorWithItsPlace(text: String, expected: String) {
    #expect(message(text) == "run.json: not valid JSON5 at \(expected)")
}

@Test func deepNestingIsRefused() {
    let text = String(repeating: "[", count: 100_000)
    #expect(
        message(text) == "run.json: not valid JSON5 at line 1, column 65: nesting deeper than 64")
}

@Test func emptyPathIsQuoted() {
    let error = #expect(throws: ConfigurationError.self) {
        try RunConfiguration.load(path: "", tasks: tasks)
    }
    #expect(error?.description.hasPrefix("\"\": cannot read the configuration: ") == true)
}

@Test func missingFileAndFolderAreNamed() throws {
    #expect(
        throws: ConfigurationError(
            origin: "/nowhere/x.json", problem: .unreadable(reason: "no such file"))
    ) {
        try RunConfiguration.load(path: "/nowhere/x.json", tasks: tasks)
    }
    let error = #expect(throws: ConfigurationError.self) {
        try RunConfiguration.load(path: "/", tasks: tasks)
    }
    #expect(error?.description == "/: cannot read the configuration: it is a folder")
}

@Test func cutsAndFlippedBytesNeverTrap() {
    // Whatever comes of it must be a configuration or an error of one line.
    let text = Array(minimalText.utf8)
    var outcomes = 0
    for cut in text.indices {
        outcomes += lines(Array(text[..<cut]))
    }
    let seed: UInt64 = 20_240_611
    var state = seed
    func random(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }
    for _ in 0..<1500 {
        var changed = text
        for _ in 0...random(3) { changed[random(changed.count)] = UInt8(random(256)) }
        outcomes += lines(changed)
    }
    #expect(outcomes == text.count + 1500, "seed \(seed)")
}

private func lines(_ bytes: [UInt8]) -> Int {
    do {
        _ = try RunConfiguration.parse(Data(bytes), origin: "run.json", tasks: tasks)
        return 1
    } catch {
        return "\(error)".split(separator: "\n", omittingEmptySubsequences: false).count
    }
}

@Test func suggestionsAreNearOrAbsent() {
    let known = ["learningRate", "momentum", "weightDecay"]
    #expect(Suggestion.nearest(to: "lerningRate", among: known) == "learningRate")
    #expect(Suggestion.nearest(to: "LEARNINGRATE", among: known) == "learningRate")
    #expect(Suggestion.nearest(to: "momentmu", among: known) == "momentum")
    #expect(Suggestion.nearest(to: "banana", among: known) == nil)
    #expect(Suggestion.nearest(to: "", among: known) == nil)
    #expect(Suggestion.nearest(to: "x", among: []) == nil)
}
