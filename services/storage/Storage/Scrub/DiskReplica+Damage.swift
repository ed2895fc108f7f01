import Glibc
import MetadataIndex
import Model
import ObjectLog

/// What cannot be read: noted when it is found, marked in the index, and forgotten when another copy has come.
extension DiskReplica {
    /// Takes note of a record that could not be read. Nothing happens when the index names another copy meanwhile.
    func noteDamage(_ record: DamagedRecord) {
        do {
            let isCurrent = try digests.withLock { _ in
                guard try position(of: record.key) == record.position else { return false }
                if case .content(let key) = record.key, try index.blob(key)?.isDamaged == false {
                    _ = try index.apply([.damaged(key, owner: record.owner)], checkpoint: index.checkpoint)
                }
                return true
            }
            guard isCurrent else { return }
        } catch {
            metrics.indexErrors.increment()
            logger.error("damage cannot be noted", metadata: ["disk": "\(path)", "error": "\(error)"])
        }
        damage.note(record, disk: path)
    }

    /// Where the index says that the record stands; nil: it has none.
    private func position(of key: DamagedRecord.Key) throws(IndexError) -> UInt64? {
        switch key {
        case .register(let name): try index.register(name)?.position
        case .content(let key): try index.blob(key)?.position
        }
    }

    /// These are in the index now.
    func noteHealed(_ changes: some Sequence<IndexChange>) {
        guard damage.count > 0 else { return }
        for change in changes {
            switch change {
            case .register(let name, let register):
                damage.healed(.register(name), disk: path, by: register.position)
            case .blob(let key, let location, _) where !location.isDamaged:
                damage.healed(.content(key), disk: path, by: location.position)
            default: break
            }
        }
    }

    /// Forgets what is no longer needed: its register has another state, or the chunk was dropped.
    func settleDamage(_ records: some Sequence<DamagedRecord>) {
        for record in records {
            // An index that cannot be read says nothing.
            guard let isHealed = try? record.isHealed(by: position(of: record.key)), isHealed else { continue }
            damage.healed(record.key, disk: path)
        }
    }

    /// What was marked before this start.
    func listMarkedDamage() {
        do {
            for (key, location, owner) in try index.damagedBlobs(limit: DamageList.limit) {
                damage.note(.content(key, at: location.position, owner: owner), disk: path)
            }
        } catch {
            logger.error("damage cannot be listed", metadata: ["disk": "\(path)", "error": "\(error)"])
        }
    }
}

extension ObjectLogError {
    /// The record is not there as it was written. Other errors say nothing about it: too many open files, no memory.
    var meansDamage: Bool {
        switch self {
        case .damaged: true
        case .file(let error): [EIO, ENOENT, EBADMSG, EUCLEAN, ENXIO, EREMOTEIO].contains(error.code)
        default: false
        }
    }
}
