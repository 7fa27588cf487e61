// How a process of a run ends.
//
//     0 done   1 failed   2 wrong command or configuration   3 data   4 peers lost for good
//     130 interrupted

import RunFolders
import Datasets
import Glibc
import ExitCodes
import Launching
import Models
import Configuration
import Learning
import Training

package enum ProcessExit {
    /// Ends this process without waiting for threads that may be blocked for good, as the handlers of
    /// exit() would.
    package static func atOnce(_ code: Int32) -> Never { _exit(code) }

    /// Which of the documented codes an error ends a process with.
    package static func code(of error: any Error) -> Int32 {
        switch error {
        case is ConfigurationError, is ModelError, is ParameterGroupError, is WorkerCountError,
            is ResumeMismatch:
            2
        case is DataError: 3
        case let error as any ExitCoded: error.exitCode.rawValue
        case LaunchingError.hostsFile, LaunchingError.hostsFileUnusable: 2
        case LaunchingError.noRoute, LaunchingError.unknownHost: 4
        case let error as RunFolderError where error.problem.isUsersChoice: 2
        case let error as WorkerFailure: error.exitCode
        default: 1
        }
    }
}

extension RunFolderError.Problem {
    /// Whether another command line would have gone well, as opposed to the disk being at fault.
    fileprivate var isUsersChoice: Bool {
        switch self {
        case .exists, .inUse, .notARun, .nothingToResume: true
        case .cannotCreate, .cannotWrite: false
        }
    }
}
