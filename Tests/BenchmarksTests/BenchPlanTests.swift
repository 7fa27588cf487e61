import Benchmarks
import Testing

/// A benchmark's plan comes from another process.
@Suite struct BenchPlanTests {
    @Test(arguments: [
        BenchPlan.Kind.training(workload: "mlp", steps: 0, warmup: 5),
        .training(workload: "mlp", steps: -1, warmup: 5),
        .training(workload: "mlp", steps: .max, warmup: 5),
        .training(workload: "mlp", steps: 10, warmup: -11),
        .allReduce(byteCounts: [4096, 0]), .allReduce(byteCounts: [-4]),
        .allReduce(byteCounts: [4097]), .allReduce(byteCounts: [.max - 3]),
    ]) func plansThatNobodyAsksForAreRefused(kind: BenchPlan.Kind) {
        #expect(throws: BenchError.self) { try BenchPlan(kind).check() }
    }

    @Test func plansOfTheCommandPass() throws {
        try BenchPlan(.training(workload: "mlp", steps: 1_000_000, warmup: 5)).check()
        try BenchPlan(.allReduce(byteCounts: BenchPlan.allReduceByteCounts)).check()
    }
}
