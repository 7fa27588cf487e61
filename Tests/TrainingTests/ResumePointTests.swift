// Which configurations may go on with which state, and what is said about those that may not.

import Checkpoints
import Foundation
import Configuration
import Learning
import Testing
import Training

@Suite struct ResumePointTests {
    /// A run of four steps with a checkpoint after the third, resumed with other settings.
    private func resume(
        _ given: String..., stored: String = "schedule.type=constant"
    ) throws -> ResumePoint {
        let fixture = try RunFixture()
        func configuration(_ overrides: [String]) throws -> RunConfiguration {
            var configuration = try fixture.configuration()
            for override in overrides {
                configuration = try RunConfiguration.parse(
                    configuration.resolvedJSON(), origin: "run.json", overrides: [override],
                    tasks: tasks)
            }
            return configuration
        }
        let before = try configuration([stored])
        try fixture.folder.prepare(.begin, taskFiles: [])
        try before.resolvedJSON().write(to: URL(fileURLWithPath: fixture.folder.configurationPath))
        try CheckpointStore(directory: fixture.folder.checkpointsPath, keep: 2).write(
            CheckpointDescription(
                step: 3, epoch: 1, seed: 1, configurationDigest: "", arithmetic: "x"),
            files: [("state", Data([1]))])
        let now = try configuration([stored] + given)
        let plan = try RunPreflight(now, workerCount: 1).plan
        return try ResumePoint(in: fixture.folder, for: now, plan: plan, tasks: tasks)
    }

    private func problem(_ body: () throws -> ResumePoint) -> ResumeMismatch.Problem? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? ResumeMismatch)?.problem
        }
    }

    @Test func theTypeIsTheDifferenceThatIsNamed() throws {
        #expect(
            problem { try resume("schedule.type=cosine") }
                == .differs(
                    key: "schedule.type", stored: "\"constant\"", given: "\"cosine\""))
        #expect(
            problem { try resume("optimizer.learningRate=0.5") }
                == .differs(key: "optimizer.learningRate", stored: "0.1", given: "0.5"))
    }

    @Test(arguments: [
        ("optimizer.clipping={globalNorm:1}", "optimizer.clipping"),
        ("optimizer.decayNormsAndBiases=false", "optimizer.decayNormsAndBiases"),
        ("optimizer.groups=[{match:'output'}]", "optimizer.groups"),
        ("average={decay:0.9}", "average"),
        ("model.loss={labelSmoothing:0.1}", "model.loss.labelSmoothing"),
        ("model.loss={classWeights:[1,1,1,1,1,1,1,1,1,2]}", "model.loss.classWeights"),
    ])
    func rulesOfTrainingMayNotChange(given: String, key: String) {
        guard case .differs(let found, _, _) = problem({ try resume(given) }) else {
            Issue.record("\(given) was accepted")
            return
        }
        #expect(found == key)
    }

    @Test func howOftenIsMeasuredMayChange() throws {
        #expect(try resume("evaluation.everySteps=2").step == 3)
    }

    @Test func aRunBeyondItsLengthIsRefused() throws {
        #expect(problem { try resume("steps=2") } == .tooLong(step: 3, totalSteps: 2))
        #expect(try resume("steps=3").step == 3)
        #expect(
            ResumeMismatch(path: "runs/x", problem: .tooLong(step: 60, totalSteps: 20)).description
                == "cannot resume runs/x: it is at step 60 already, but the configuration now ends "
                + "at step 20; give a greater length, or --overwrite to begin anew")
    }

    @Test func anotherLengthIsWarnedOfWhereTheRateDependsOnIt() throws {
        #expect(try resume("steps=6").warnings == [])
        let cosine = "schedule.type=cosine"
        let warnings = try resume("steps=6", stored: cosine).warnings
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("was to end at step 4 and now ends at step 6") == true)
        #expect(try resume("steps=6", stored: "schedule={type:'oneCycle'}").warnings == warnings)
        #expect(try resume("steps=6", stored: "schedule.type=inverseSquareRoot").warnings == [])
        // Two epochs are these four steps.
        #expect(try resume("epochs=2", stored: cosine).warnings == [])
    }
}
