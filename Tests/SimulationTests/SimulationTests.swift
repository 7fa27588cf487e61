// Thousands of runs with crashes, suspensions, cut links, partitions and restarts, each from a seed. A run
// that fails prints its seed, which RONDO_SIMULATION_SEED replays with a trace;
// RONDO_SIMULATION_SEEDS=10000 runs so many.

import Foundation
import Testing

struct SimulationTests {
    private static func variable(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test func everyRunEndsWithTheUndisturbedModel() {
        if let seed = Self.variable("RONDO_SIMULATION_SEED") {
            let simulation = Simulation(seed: seed, isTracing: true)
            let problems = simulation.run()
            print(simulation.lines.joined(separator: "\n"))
            #expect(problems == [], "seed \(seed)")
            return
        }
        let count = Self.variable("RONDO_SIMULATION_SEEDS") ?? 200
        var failed: [UInt64] = []
        var generations = 0
        var gaps: [UInt64] = []
        for seed in 1...max(1, count) {
            let simulation = Simulation(seed: seed)
            let problems = simulation.run()
            generations += simulation.generationCount
            if simulation.recordGaps > 0 { gaps.append(seed) }
            if !problems.isEmpty {
                failed.append(seed)
                if failed.count <= 10 {
                    Issue.record("replay with RONDO_SIMULATION_SEED=\(seed): \(problems)")
                }
            }
        }
        #expect(failed == [], "\(failed.count) of \(count) seeds")
        print("simulation: \(count) runs, \(generations) generations; gaps in \(gaps.count) \(gaps.prefix(5))")
        #expect(generations > Int(count), "the runs were disturbed")
    }
}
