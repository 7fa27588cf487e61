import Autodiff
import Foundation
import Models
import NeuralNetworks
import Configuration
import Learning
import Tensors

// What a program that uses the library adds to a run: its network, and perhaps its data with their loss.
// `rondo` adds nothing. The closures are called on the thread that trains.

/// The parts of a run that no configuration holds.
package struct ProgramParts {
    /// Makes the network for the task's input, of one sample, and number of outputs.
    package var network: ((Shape, Int, inout InitializationStream) -> any Layer)?
    /// The data and the loss.
    package var samples: ProgramSamples?

    /// A configuration alone.
    package static var none: ProgramParts { ProgramParts() }

    package init(
        network: ((Shape, Int, inout InitializationStream) -> any Layer)? = nil,
        samples: ProgramSamples? = nil
    ) {
        self.network = network
        self.samples = samples
    }

    /// The data of a run that has none in files.
    func samples(for configuration: RunConfiguration) throws(ModelError) -> ProgramSamples {
        if let samples { return samples }
        let program = configuration.model.custom?.program
        throw ModelError(
            path: "data", layer: "own",
            problem: "these samples are in the memory of "
                + (program.map { "the program \"\($0)\"" } ?? "the program that made the run")
                + "; train, measure and use the run with that program")
    }

    /// The network with its initial weights.
    func network(
        _ configuration: RunConfiguration, input: FeatureShape, outputs: Int
    ) throws(ModelError) -> Network {
        if let own = configuration.model.custom {
            return .layers(
                try network(own, input: input, outputs: outputs, seed: configuration.seed))
        }
        return try ModelBuilder.network(
            configuration.model, input: input, outputs: outputs, seed: configuration.seed)
    }

    private func network(
        _ own: CustomModelConfiguration, input: FeatureShape, outputs: Int, seed: UInt64
    ) throws(ModelError) -> Sequential {
        if input.source != nil {
            throw ModelError(
                path: "model", layer: own.name,
                problem: "a program's network is not for pairs of texts")
        }
        guard let network else {
            throw ModelError(
                path: "model", layer: own.name,
                problem: "this network is defined in the program \"\(own.program)\"; train, measure"
                    + " and use it with that program")
        }
        var stream = InitializationStream(seed: seed)
        // Under an empty name its parameters keep their own ones.
        return Sequential(named: [("", network(input.sampleShape, outputs, &stream))])
    }

    /// The model's table, with its shapes checked.
    func outline(
        _ configuration: RunConfiguration, input: FeatureShape, outputs: Int
    ) throws(ModelError) -> ModelOutline {
        guard let own = configuration.model.custom else {
            return try ModelBuilder.outline(
                of: configuration.model, input: input, outputs: outputs)
        }
        let network = try network(
            own, input: input, outputs: outputs, seed: configuration.seed)
        let sample = Tensor(zeros: Shape([1] + input.sampleShape.dimensions))
        let result = network(Tape(.evaluation).constant(sample)).shape
        let wanted = samples?.outputShape ?? input.scores(outputs).sampleShape
        if result != Shape([1] + wanted.dimensions) {
            throw ModelError(
                path: "model", layer: own.name,
                problem: "for one sample of \(input.sampleShape) it gives \(result), but"
                    + " \(Shape([1] + wanted.dimensions)) is needed")
        }
        let output = FeatureShape(sample: Shape(Array(result.dimensions.dropFirst())))
        return ModelOutline(
            custom: own.name, program: own.program, input: input,
            output: output ?? .vector(result.count), scalarCount: network.scalarCount)
    }
}
