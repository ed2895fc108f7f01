import MetadataIndex
import Model
import ObjectLog

/// What index and log had in memory for a request, so that it can be served on a thread that must not wait for a device.
public struct AtHand: Sendable {
    let disk: DiskReplica
    /// Of the disk, before anything was read.
    let generation: UInt64
    let found: DiskReplica.Found
    /// The only blob beside the register, when it was asked for.
    let content: (blob: BlobID, bytes: CheckedBytes)?
}

extension DiskReplica {
    /// nil: the device has to be asked, or something is out of the ordinary. Never waits for the device.
    /// - Parameter room: bytes that the request will append.
    func atHand(_ name: RegisterName, withBlob: Bool = false, room: Int = 0) -> AtHand? {
        let generation = generation.load(ordering: .acquiring)
        guard !index.hasDoubt, room == 0 || (try? log.hasRoom(room)) == true else { return nil }
        switch index.cachedRegister(name) {
        case .miss: return nil
        case .absent: return AtHand(disk: self, generation: generation, found: Found(stored: .absent), content: nil)
        case .hit(let register):
            let stored = judged(register)
            var content: (BlobID, CheckedBytes)?
            if withBlob, register.value.blobs.count == 1, !register.value.isTombstone {
                let blob = register.value.blobs[0]
                guard let bytes = cachedContent(of: BlobKey(blob)) else { return nil }
                content = (blob, bytes)
            }
            return AtHand(disk: self, generation: generation, found: Found(stored: stored), content: content)
        }
    }

    private func cachedContent(of key: BlobKey) -> CheckedBytes? {
        guard let location = index.cachedBlob(key), !isDamaged(key, location),
            let record = log.cached(at: LogPosition(rawValue: location.position), size: Int(location.recordSize)),
            Self.isContent(record, of: key)
        else { return nil }
        return CheckedBytes(bytes: record.payload, checksum: record.payloadChecksum)
    }
}
