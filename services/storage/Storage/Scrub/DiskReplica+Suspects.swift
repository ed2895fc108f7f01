import Glibc
import MetadataIndex
import Model
import ObjectLog

/// Errors of the device that may pass: a record is taken for damaged only when it cannot be read a moment later either.
extension DiskReplica {
    private static let suspectsMax = 1000

    /// A request could not read a record. What the bytes say is damage at once; what the device says is looked at again
    /// by the upkeep, for a request cannot wait for that.
    func suspect(_ record: DamagedRecord, _ error: ObjectLogError) {
        guard error.meansDamage else { return }
        if !error.mayPass || !remember(record) { noteDamage(record) }
    }

    /// False: there are too many already.
    private func remember(_ record: DamagedRecord) -> Bool {
        suspects.withLock { suspects in
            guard suspects.count < Self.suspectsMax || suspects[record.key] != nil else { return false }
            suspects[record.key] = record
            return true
        }
    }

    /// Reads again what requests could not read. Blocks.
    func checkSuspects() {
        for (key, record) in suspects.withLock({ $0 }) {
            guard let isReadable = isReadable(record) else { continue }
            suspects.withLock { $0[key] = nil }
            if isReadable {
                logger.notice(
                    "content that could not be read can be read again",
                    metadata: ["disk": "\(path)", "at": "\(LogPosition(rawValue: record.position))"])
            } else {
                noteDamage(record)
            }
        }
    }

    /// nil: what went wrong says nothing of the record. One that has moved meanwhile can be read where it is.
    private func isReadable(_ record: DamagedRecord) -> Bool? {
        guard case .content(let key) = record.key else { return true }
        do {
            guard let location = try index.blob(key), location.position == record.position else { return true }
            _ = try read(key, at: location, patiently: true)
            return true
        } catch let error as ObjectLogError {
            return error.meansDamage ? false : nil
        } catch { return nil }
    }
}

extension ObjectLog {
    private static let pauseMicroseconds: UInt32 = 50_000

    /// For work in the background: an error of the device counts only when it comes again a moment later. Blocks.
    func readPatiently(at position: LogPosition, size: Int) throws(ObjectLogError) -> LogRecord {
        do { return try read(at: position, size: size) } catch { guard error.mayPass else { throw error } }
        usleep(Self.pauseMicroseconds)
        return try read(at: position, size: size)
    }
}

extension ObjectLogError {
    /// The device, not the bytes, says that something is wrong.
    fileprivate var mayPass: Bool {
        if case .file = self { meansDamage } else { false }
    }
}
