import Configuration

/// An optimizer with its schedule, and the parameters that it updates.
package struct UpdateRule: Sendable {
    /// Of parameters' names, as in a parameter group: a name, or the part of it before a dot; "*"
    /// stands for any characters, "?" for one. nil: all.
    package let match: String?
    package let optimizer: OptimizerConfiguration
    package let schedule: ScheduleConfiguration

    package init(
        match: String? = nil, optimizer: OptimizerConfiguration, schedule: ScheduleConfiguration
    ) {
        self.match = match
        self.optimizer = optimizer
        self.schedule = schedule
    }

    /// The one rule of a run that trains one network.
    package init(_ settings: RunSettings) {
        self.init(optimizer: settings.optimizer, schedule: settings.schedule)
    }
}
