import Kernels
import Tensors

// Trading time for memory (Chen et al. 2016): a segment of the forward pass keeps only its inputs,
// and backward computes its activations again when their turn comes.
//
// The repetition has a tape of its own, which starts with the segment's first random call. Dropout
// masks, and with them all gradients, therefore have the bits that they would have had otherwise. A
// parameter of the segment counts as used once by the segment as a whole: it is complete when the
// segment's backward is over, and not when the inner tape has used it for the last time.

/// Computes `segment(inputs)` and keeps only the inputs and the result until backward.
///
/// - Parameter segment: a pure function of its inputs, parameters and the pass's random numbers; it
///   is called again in backward, with variables of another tape.
/// Cost: one more forward pass of the segment; memory of one segment's activations at a time.
public func checkpointed(
    _ inputs: [Variable], _ segment: @escaping ([Variable]) -> Variable
) -> Variable {
    guard let tape = inputs.first?.tape else {
        endProgram("checkpointed: a segment without inputs")
    }
    guard tape.settings.records else { return segment(inputs) }
    let randomCall = tape.nextRandomCall
    let values = inputs.map(\.value)
    let (result, uses) = tape.countingUses { segment(values.map(tape.constant)).value }
    var seen = Set<ObjectIdentifier>()
    let parameters = uses.parameters.filter { seen.insert(ObjectIdentifier($0)).inserted }
    // Makes a segment of constants differentiable if hooks want the gradient of one of its
    // activations.
    let leaves = uses.hasLeaves ? [tape.input(Tensor(zeros: [])) { _ in }] : []
    return tape.record(result, from: inputs + leaves, using: parameters) { upstream in
        let repetition = Tape(repeating: tape, from: randomCall)
        let again = inputs.map { input in
            input.isDifferentiated
                ? repetition.input(input.value) { tape.addGradient($0, to: input) }
                : repetition.constant(input.value)
        }
        repetition.backward(from: segment(again), upstream: upstream)
    }
}

/// Checkpoints a segment of one input, such as a layer.
public func checkpointed(
    _ x: Variable, _ segment: @escaping (Variable) -> Variable
) -> Variable {
    checkpointed([x]) { segment($0[0]) }
}
