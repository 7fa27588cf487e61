/// One number that is measured: a name, how people read it, which direction is better, and how it
/// follows from sums.
package struct Figure: Sendable {
    package enum Form: Sendable, Equatable {
        /// A part of a whole, shown in percent.
        case share
        /// A number with that many decimals.
        case number(decimals: Int)
    }

    package enum Goal: Sendable, Equatable { case higher, lower }

    /// The key in JSON; people read it with spaces: "test_accuracy".
    package let key: String
    package let form: Form
    package let goal: Goal
    /// A function of the sums, in the order in which the task's metrics name them.
    package let value: @Sendable (_ sums: [Double]) -> Double

    package init(
        _ key: String, _ form: Form, _ goal: Goal,
        value: @escaping @Sendable (_ sums: [Double]) -> Double
    ) {
        self.key = key
        self.form = form
        self.goal = goal
        self.value = value
    }

    /// One sum divided by another, which counts something: 0 where nothing was counted.
    package static func mean(
        _ key: String, of sum: Int, over count: Int, _ form: Form, _ goal: Goal
    ) -> Figure {
        Figure(key, form, goal) { $0[sum] / max(1, $0[count]) }
    }

    /// A value as people read it.
    package func text(of value: Double) -> String {
        switch form {
        case .share: ProgressText.percent(value)
        case .number(let decimals): ProgressText.fixed(value, decimals)
        }
    }
}
