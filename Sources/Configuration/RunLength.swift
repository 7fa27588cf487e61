/// How long a run lasts: a configuration says exactly one of `epochs` and `steps`.
package enum RunLength: Sendable, Equatable {
    case epochs(Int)
    case steps(Int)
}
