import Autodiff
import Configuration
import Models
import NeuralNetworks
import Tensors

/// The network that the key `model` asks for: a list of layers, or the network of the program that
/// this process is.
package struct ConfiguredNetwork {
    private let model: ModelConfiguration
    private let input: FeatureShape
    private let outputs: Int
    private let run: RunContext
    /// The output that the task needs of a custom network for one sample; nil where anything will
    /// do.
    private let wantedOutput: Shape?

    package init(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int, _ run: RunContext
    ) {
        self.init(
            model, input: input, outputs: outputs, run, wantedOutput: input.outputShape(outputs))
    }

    package init(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int, _ run: RunContext,
        wantedOutput: Shape?
    ) {
        self.model = model
        self.input = input
        self.outputs = outputs
        self.run = run
        self.wantedOutput = wantedOutput
    }

    /// With its initial weights, a pure function of the configuration and the seed.
    package func layers() throws(ModelError) -> Sequential {
        guard let custom = model.custom else {
            return try ModelBuilder.build(
                model, input: input, outputs: outputs, seed: run.settings.seed)
        }
        guard let network = run.customNetwork else {
            throw ModelError(
                path: "model", layer: custom.name,
                problem: "this network is defined in the program \"\(custom.program)\"; train,"
                    + " measure and use it with that program")
        }
        var stream = InitializationStream(seed: run.settings.seed)
        // Under an empty name its parameters keep their own ones.
        return Sequential(named: [("", network.make(input.sampleShape, outputs, &stream))])
    }

    /// The network's parts with their parameters, all shapes checked.
    package func outline() throws(ModelError) -> ModelOutline {
        guard let custom = model.custom else {
            return try ModelBuilder.outline(of: model, input: input, outputs: outputs)
        }
        let network = try layers()
        let sample = Tensor(zeros: Shape([1] + input.sampleShape.dimensions))
        let result = network(Tape(.evaluation).constant(sample)).shape
        if let wantedOutput, result != Shape([1] + wantedOutput.dimensions) {
            throw ModelError(
                path: "model", layer: custom.name,
                problem: "for one sample of \(input.sampleShape) it gives \(result), but"
                    + " \(Shape([1] + wantedOutput.dimensions)) is needed")
        }
        let output = FeatureShape(sample: Shape(Array(result.dimensions.dropFirst())))
        return ModelOutline(
            custom: custom.name, program: custom.program, input: input,
            output: output ?? .vector(result.count), scalarCount: network.scalarCount)
    }

    /// For the file of weights: what a custom network was made for, so that it can be loaded
    /// without the data.
    package var metadata: [String: String] {
        guard model.custom != nil else { return [:] }
        return ["input": "\(input.sampleShape)", "outputs": "\(outputs)"]
    }
}

extension Module {
    /// The number of trained scalars.
    fileprivate var scalarCount: Int {
        namedStates.reduce(0) { count, state in
            guard case .parameter(_, let parameter) = state else { return count }
            return count + parameter.shape.count
        }
    }
}
