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
    var content: (blob: BlobID, bytes: CheckedBytes)?
    /// Where that stands, instead.
    var place: (blob: BlobID, at: ContentPlace)?
}

extension DiskReplica {
    /// nil: the device has to be asked, or something is out of the ordinary. Never waits for the device.
    /// - Parameters:
    ///   - inPlace: of a large blob, where it stands is enough.
    ///   - room: bytes that the request will append.
    func atHand(_ name: RegisterName, withBlob: Bool = false, inPlace: Bool = false, room: Int = 0) -> AtHand? {
        let generation = generation.load(ordering: .acquiring)
        guard !index.hasDoubt, room == 0 || (try? log.hasRoom(room)) == true else { return nil }
        switch index.cachedRegister(name) {
        case .miss: return nil
        case .absent: return AtHand(disk: self, generation: generation, found: Found(stored: .absent))
        case .hit(let register):
            var atHand = AtHand(disk: self, generation: generation, found: Found(stored: judged(register)))
            guard withBlob, register.value.blobs.count == 1, !register.value.isTombstone else { return atHand }
            let blob = register.value.blobs[0]
            if inPlace, let place = cachedPlace(of: BlobKey(blob)) {
                atHand.place = (blob, place)
            } else {
                guard let bytes = cachedContent(of: BlobKey(blob)) else { return nil }
                atHand.content = (blob, bytes)
            }
            return atHand
        }
    }

    /// nil: it is small, or the device has to be asked.
    func cachedPlace(of key: BlobKey) -> ContentPlace? {
        index.cachedBlob(key).flatMap { place(of: key, at: $0) }
    }

    /// nil: it is small or damaged, or others would not find a log of that name.
    func place(of key: BlobKey, at location: BlobLocation) -> ContentPlace? {
        guard location.size >= ContentPlace.sizeMin, log.path.hasPrefix("/"), !isDamaged(key, location) else {
            return nil
        }
        return ContentPlace(
            directory: log.path, disk: log.owner.disk, position: location.position, recordSize: location.recordSize,
            size: location.size, checksum: location.checksum)
    }

    private func cachedContent(of key: BlobKey) -> CheckedBytes? {
        guard let location = index.cachedBlob(key), !isDamaged(key, location),
            let record = log.cached(at: LogPosition(rawValue: location.position), size: Int(location.recordSize)),
            Self.isContent(record, of: key)
        else { return nil }
        return CheckedBytes(bytes: record.payload, checksum: record.payloadChecksum)
    }
}
