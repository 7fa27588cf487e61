import Autodiff

// Sequences of different lengths travel as one padded batch with their lengths beside it:
//
//   position by position   values are computed beyond the end, too, and mean nothing there
//   recurrent layers       neither read nor train beyond the end, in both directions
//   attention              sees no key beyond the end
//   convolutions           read zeros beyond the end, and shorten the lengths
//
// So each sequence has the outputs and the gradients that it has alone. Whoever takes a mean over
// steps has to leave the padding out.

/// What flows between layers: values and, for a padded batch of sequences, their lengths.
public struct Features {
    /// [N, ...]; of sequences [N, T, ...].
    public var values: Variable
    /// The steps of each sequence, at most T; the rest is padding. nil: no sequence is padded.
    public var lengths: [Int32]?

    /// - Parameter lengths: one for each sequence of the batch.
    public init(_ values: Variable, lengths: [Int32]? = nil) {
        if let lengths {
            let steps = values.shape.rank > 1 ? values.shape[1] : 0
            precondition(
                lengths.count == values.shape[0]
                    && lengths.allSatisfy { (0...steps).contains(Int($0)) },
                "lengths \(lengths) for sequences \(values.shape)")
        }
        self.values = values
        self.lengths = lengths
    }
}
