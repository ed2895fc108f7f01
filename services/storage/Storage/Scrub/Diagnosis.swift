import Foundation
import Logging
import Synchronization
import Threads

/// `diagnose-start`: writes a report of everything in the logs of a node's disks, on a thread of its own, while the node
/// serves.
final class Diagnosis: Sendable {
    /// As JSON for the administrator.
    struct Status: Encodable, Sendable, Equatable {
        /// "idling", "running", "done" or "failed".
        var state = "idling"
        /// One report for each disk.
        var reports: [Report] = []
        var error: String?
    }

    struct Report: Encodable, Sendable, Equatable {
        var disk: String
        var path: String
        var summary = DiagnosisSummary()
    }

    private struct State: ThreadedState {
        var status = Status()
        var isStopping = false
        var thread: BlockingThread?
    }

    /// A disk that is closed meanwhile must not be held: its index is opened again only when nobody has it any more.
    private struct Subject {
        weak var disk: DiskReplica?
        var path: String
    }

    private let state = Monitor(State())

    var status: Status { state.withLock { $0.status } }

    /// Begins, unless it is under way, and waits a moment: a small node is done before the answer. `directory`: for the
    /// reports. `stamp`: part of their names.
    func start(_ disks: [DiskReplica], directory: String, stamp: String, waitMilliseconds: Int) -> Status {
        let subjects = disks.map { Subject(disk: $0, path: $0.path) }
        return state.waiting { state, waiter in
            if state.pointee.status.state != "running", !state.pointee.isStopping {
                state.pointee.thread?.join()
                state.pointee.status = Status(state: "running")
                state.pointee.thread = BlockingThread(name: "diagnosis") { self.run(subjects, directory, stamp) }
            }
            let end = ContinuousClock.now + .milliseconds(waitMilliseconds)
            while state.pointee.status.state == "running", !state.pointee.isStopping {
                let left = Int((end - .now) / .milliseconds(1))
                guard left > 0 else { break }
                _ = waiter.wait(milliseconds: left)
            }
            return state.pointee.status
        }
    }

    func stop() { state.stop() }

    private func run(_ subjects: [Subject], _ directory: String, _ stamp: String) {
        var failure: String?
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            for (number, subject) in subjects.enumerated() {
                let report = Report(disk: subject.path, path: "\(directory)/diagnosis-\(stamp)-disk-\(number + 1).tsv")
                state.withLock { $0.status.reports.append(report) }
                try write(subject, to: report.path, number)
            }
        } catch { failure = "\(error)" }
        state.withLock { state in
            state.status.error = failure
            state.status.state = failure == nil && !state.isStopping ? "done" : "failed"
        }
        state.wake()
    }

    private func write(_ subject: Subject, to path: String, _ number: Int) throws {
        guard let disk = subject.disk, !disk.isEnding else {
            throw StorageError.unavailable("\(subject.path) is not in service")
        }
        let isWhole = try DiagnosisWriter(disk: disk, path: path).run { summary in
            state.withLock { state in
                state.status.reports[number].summary = summary
                return !state.isStopping && !disk.isEnding
            }
        }
        guard isWhole else { throw StorageError.unavailable("\(subject.path) went out of service") }
    }
}
