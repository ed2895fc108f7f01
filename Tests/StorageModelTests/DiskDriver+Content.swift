import MetadataIndex
import Model
import Wire

@testable import Storage

/// Chunks, hints and released content.
extension DiskDriver {
    mutating func putChunk() {
        let name = generator.pick(DiskModel.chunkNames)
        if model.chunks[name] != .present { model.chunks[name] = .unknown }
        let answer = Answer<Bool>()
        disk.putChunk(name, DiskModel.content(name.blob, name.index), answer.completion)
        later { driver in
            guard case .success(let wasHere) = answer.wait() else { return }
            if !wasHere { driver.model.damaged.remove(BlobKey(name)) }
            // A drop that has done its work may be forgotten, and the chunk may come anew.
            driver.model.chunks[name] = driver.model.recentDrops.contains(name) ? .unknown : .present
            driver.model.dropped.remove(name)
        }
    }

    mutating func dropChunks() {
        let blob = generator.pick(DiskModel.chunkNames).blob
        let indexes = (0..<UInt32(3)).filter { _ in generator.chance(0.6) }
        let names = indexes.map { ChunkName(blob: blob, index: $0) }
        for name in names where model.chunks[name] != nil { model.chunks[name] = .unknown }
        model.recentDrops.formUnion(names)
        let answer = Answer<Int>()
        disk.dropChunks(blob, indexes, answer.completion)
        later { driver in
            guard case .success = answer.wait() else { return }
            for name in names {
                driver.model.chunks[name] = .absent
                driver.model.dropped.insert(name)
            }
        }
    }

    mutating func noteHint() {
        model.nextHint += 1
        let hint = Hint(missed: "storage-2", index: model.nextHint).encoded()
        model.hints[hint] = .unknown
        let answer = Answer<Void>()
        disk.noteHints([hint], answer.completion)
        later { driver in
            if case .success = answer.wait() { driver.model.hints[hint] = .present }
        }
    }

    mutating func forgetHint() {
        // One that is being noted may be in the index before the answer has come.
        let found = (try? disk.index.hints(after: 0, limit: 100))?.filter { model.hints[$0.hint] == .present } ?? []
        guard !found.isEmpty else { return }
        let hint = generator.pick(found).hint
        let ids = found.filter { $0.hint == hint }.map(\.id)
        model.hints[hint] = .unknown
        let answer = Answer<Void>()
        disk.forgetHints(ids, answer.completion)
        later { driver in
            if case .success = answer.wait() { driver.model.hints[hint] = .absent }
        }
    }

    mutating func forgetRelease() {
        guard let found = try? disk.releases(after: [], limit: 100, notedBefore: .max), !found.isEmpty else { return }
        let release = generator.pick(found)
        for blob in release.blobs {
            model.releases[blob.id] = .unknown
            model.toldReleases.insert(blob.id)
        }
        try? disk.forgetReleases([release.id])
    }
}
